"""Runs commands for the tests of this folder."""
import subprocess


def run(*command, **how):
    """Runs a command. Its result's stdout contains the output and the errors."""
    return subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **how)
