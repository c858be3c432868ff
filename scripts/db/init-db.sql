-- Prepares the database of a new server; may be run again at any time.
-- Run it as the role that will run the migrations: its later tables become readable.
-- No extension is needed: gen_random_uuid() is part of PostgreSQL.

-- A role to read everything with, and to change nothing. It cannot log in itself:
--   CREATE ROLE alice LOGIN PASSWORD '...' IN ROLE crypto_reader;
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'crypto_reader') THEN
        CREATE ROLE crypto_reader NOLOGIN;
    END IF;
END
$$;

DO $$
BEGIN
    EXECUTE format('ALTER DATABASE %I SET timezone TO ''UTC''', current_database());
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO crypto_reader', current_database());
END
$$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO crypto_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO crypto_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO crypto_reader;
