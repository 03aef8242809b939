#!/usr/bin/env bash
# Where this machine's pip is told of a CA (PIP_CERT or SSL_CERT_FILE), the pip of `docker build` gets it as well: see
# deploy/docker/certificates/README.md.
set -euo pipefail
authority=$(dirname "$0")/certificates/machine.crt
file=${PIP_CERT:-${SSL_CERT_FILE:-}}
[[ ! -f $file || -e $authority ]] || cp "$file" "$authority"
