"""Packaging of the project; run-time pins live in requirements.txt."""

from pathlib import Path

from setuptools import find_packages, setup

DIRECT_REQUIREMENTS = [
    line
    for line in Path(__file__).with_name("requirements.in").read_text().splitlines()
    if line and not line.startswith("#")
]

setup(
    name="crypto-trading-bot",
    version="0.1.0",
    description="Collects crypto market data into a training corpus (simulated money)",
    python_requires=">=3.11",
    packages=find_packages(include=["app", "app.*"]),
    install_requires=DIRECT_REQUIREMENTS,
    entry_points={"console_scripts": ["crypto-bot=app.cli.main:main"]},
)
