#!/usr/bin/env sh
# See to it that there is a Chromium; on a Debian machine of our own (root) install it.
set -eu
for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null; then exit 0; fi
done
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "Installing chromium ..."
    if apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y \
        --no-install-recommends chromium >/dev/null; then exit 0; fi
fi
echo "No Chromium on this machine and none can be installed: the browser tests will be skipped." \
     "Install it (Debian: apt install chromium) and try again." >&2
