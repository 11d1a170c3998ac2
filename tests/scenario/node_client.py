#!/usr/bin/env python3
"""Postmark's own Node client, as it comes from npm, against the sandbox: it must not notice that
it speaks to another.  The tests themselves are in node_client.js."""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from daemons import SOURCE, Failure, Sandbox, Skip, check, installed, run  # noqa: E402

INSTALL_SECONDS = 120
# What npm says when nobody answers, in place of a registry that refuses.
UNREACHABLE = re.compile(r"ECONNREFUSED|ECONNRESET|ENOTFOUND|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH|"
                         r"ENETDOWN|ERR_SOCKET_TIMEOUT|E50[234]\b|_CERT|CERT_")


def client_in(folder):
    """The folder where the client was installed, without a script of any package being run."""
    npm = installed("npm")
    installed("node")
    place = os.path.join(folder, "client")
    os.mkdir(place)
    with open(os.path.join(place, "package.json"), "w") as f:
        f.write('{"private": true}\n')
    try:
        done = subprocess.run(
            [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save",
             "--cache", os.path.join(folder, "npm-cache"), "postmark@latest"],
            cwd=place, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=INSTALL_SECONDS)
    except subprocess.TimeoutExpired:
        raise Skip("npm did not install the client within %d s" % INSTALL_SECONDS)
    if done.returncode != 0:
        found = UNREACHABLE.search(done.stdout)
        if found:
            raise Skip("npm does not reach its registry: %s" % found.group())
        raise Failure("npm cannot install the client: %s" % done.stdout[-1000:])
    return place


def node_client(folder):
    place = client_in(folder)
    sandbox = Sandbox(folder, "--account-token", "sandbox-account-token")
    done = subprocess.run(
        [installed("node"), os.path.join(SOURCE, "tests/scenario/node_client.js"),
         os.path.join(place, "node_modules/postmark"), str(sandbox.port)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=300)
    print(done.stdout, end="", flush=True)
    check(done.returncode == 0, "the client's tests ended with %d" % done.returncode)
    if "0 failed" not in done.stdout:
        raise Failure("the client's tests did not come to their end")


run([node_client], "node")
