#!/bin/bash
set -euo pipefail; shopt -s globstar dotglob; key=${1:-keys/manifest.pem}; n=0; h=
signed() { openssl pkeyutl -verify -pubin -inkey "$1" -rawin -in "$2" -sigfile "$2.sig" >/dev/null && echo "good signature: $2"; }
wrong() { echo "WRONG: $1" >&2; exit 1; }
signed "$key" manifest.json || wrong "the signature of manifest.json"
jq -r '.files[] | .sha256 + "  " + .path' manifest.json | sha256sum --check --quiet --strict && sha256sum --check --quiet --strict SHA256SUMS || wrong "files"
for f in **; do [ -d "$f" ] || n=$((n + 1)); done; [ "$n" = "$(jq '.files | length + 3' manifest.json)" ] || wrong "$n files are not what the manifest names"
signed keys/checkpoint.pem tree/checkpoint && signed keys/checkpoint.pem tree/digest || wrong "a signature in tree"
while IFS= read -r d; do [ "$h" = "$(jq -r '.digest | fromjson | .previous.hash // ""' <<<"$d")" ] || wrong "the chain of digests"; h=$(jq -rj .digest <<<"$d" | sha256sum); h=${h%% *}; done <tree/digests.jsonl
[ "$h" = "$(sha256sum <tree/digest | { read -r s _; echo "$s"; })" ] && jq -e --slurpfile d tree/digest '.selection | .tree == $d[0].after and .origin == $d[0].origin' manifest.json >/dev/null || wrong "the tree head"
mapfile -t c <tree/checkpoint; [ "${c[0]} ${c[1]} ${c[2]}" = "$(jq -r '.selection | "\(.origin) \(.tree.size)"' manifest.json) $(printf "$(jq -r '[.selection.tree.root | scan("..") | "\\x" + .] | add' manifest.json)" | openssl base64)" ] && echo "verified: $n files" || wrong "the checkpoint"
