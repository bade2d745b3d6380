#!/bin/sh
# unpack-cyrus.sh DIR: put Cyrus IMAP from Debian's packages into the folder DIR, beside whatever server is installed: Debian lets only
# one be. Nothing is installed. Tests find it when IMAPILOT_TEST_CYRUS is DIR. It needs apt-get, dpkg and a package list that is up to date.
set -eu
test $# = 1 || { echo "usage: $0 DIR" >&2; exit 2; }
mkdir -p "$1"
cd "$1"

wanted="cyrus-common cyrus-imapd sasl2-bin libsasl2-modules libsasl2-modules-db"
# Of what these depend on, the libraries that are missing here, and of those again. Nothing else is needed to run in place.
look=$wanted
while test -n "$look"; do
	found=
	for package in $(apt-cache depends --important $look | sed -n 's/^[ |]*Depends: \(lib[a-z0-9.+-]*\)$/\1/p' | sort -u); do
		case " $wanted $found " in *" $package "*) continue ;; esac
		dpkg-query --show --showformat '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || found="$found $package"
	done
	wanted="$wanted $found"
	look=$found
done

# As root apt-get hands a download to a user of its own, who may not write here.
apt-get download -q -o APT::Sandbox::User="$(id -un)" $wanted
for package in *.deb; do
	dpkg-deb --extract "$package" .
	rm "$package"
done
chmod -R a+rX .
