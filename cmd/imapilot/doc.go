/*
Imapilot checks two IMAP servers, explains every fault it finds, and copies mailboxes from one to the other with exactly the settings
that were validated.

# Commands

	imapilot                                     the wizard, in a terminal
	imapilot probe TARGET...                     diagnose one or more servers
	imapilot preflight --source URL --dest URL   diagnose both, then the pair
	imapilot plan --source URL --dest URL        print what a sync would do
	imapilot sync --source URL --dest URL        copy; --dry-run stops at the plan
	imapilot verify --source URL --dest URL      compare both sides; --bodies compares every octet
	imapilot demo                                the whole job on two servers of its own
	imapilot explain [CODE]                      what a finding means and what to do
	imapilot version, imapilot completion SHELL

Each has its own --help, with the environment variable of every flag: --source-password-from is IMAPILOT_SOURCE_PASSWORD_FROM. A flag
on the command line comes before its variable. Repeatable flags take a list with commas from theirs.

plan, sync and verify start with a quick preflight. When it blocks, they print its report in place of their own result and exit with
its code; its warnings go to stderr.

# Targets

	host, host:port                 find out how TLS starts; without a port 993 and 143 are tried at once
	user@domain                     find the server of an e-mail address; probe alone
	imaps://[user@]host[:port]      TLS from the first byte
	imap+starttls://…, imap://…     STARTTLS, required
	imap+insecure://…               no TLS at all; only with --allow-plaintext
	imap+auto://…                   as without a scheme

The user is percent-encoded: imaps://anna%40example.org@imap.example.org. A password in a URL is refused. There is no mode that falls
back from TLS to less. TLS 1.2 or newer is needed; --legacy-tls permits 1.0 and 1.1 for one run, never SSL.

# Levels of probe

The quick look needs no flag. --full lists the TLS versions, cipher suites and key exchange groups that each port accepts, by hand-made
ClientHellos on up to 60 connections a port; none of them signs in. --audit adds what a server's administrator notices: a command put behind STARTTLS in the same packet, which must not
be carried out inside TLS, and connections opened one after the other, at most 25, each signed in if there is a password, until one is
refused.

# Levels

probe and preflight take a quick look, at the servers and the name service alone. More has to be asked for:

	--fetch-aia           fetch the issuers that a server does not send, to name what is missing; nothing becomes acceptable by it
	--fetch-revocation    ask the authorities whether a certificate is revoked (OCSP, else CRL); one that is blocks

Both fetch over HTTP from addresses in the certificate, 3 s at most, and no private address unless the server itself has one.

# Paths

Where a port cannot be reached, or something speaks for another device answering in the server's name, probe and preflight look which device on the way
acts: 4 s and 46 connection attempts at most, without privileges. Packets that live for one hop more each time show who drops, refuses, answers or redirects them; the
same is tried at other ports, to tell a rule for this port from a host that is down. The report says how sure that is, and where this computer's end of the
path cannot tell two devices apart it says so. On Linux the hops are seen; elsewhere ports alone are compared.

	--path                show the path although all is well, look for proxies, redirections and lost connections, and let each port carry 64 KiB before the sign-in
	--no-path             do not look
	--control HOST:PORT   a server that is known to work, to compare with
	--idle DURATION       probe alone: leave a connection idle that long, without TCP keep-alives, and see whether it still works: the one that is signed in, if there is one

When a handshake goes without an answer, it is tried with a short ClientHello and with small segments. If small segments are what it needs, up to 16 more
connections find the largest packet that passes, to the octet, and in which direction larger ones get lost (Linux alone).

# Names

The addresses of a host are those of the system's resolver. Where it has none, imapilot asks the name servers of resolv.conf itself to tell why: no
such name, no address, a failure, a refusal, silence, broken DNSSEC. It also looks for SRV records (RFC 6186) and TLSA records
(RFC 7671) of names of the public DNS; neither changes what is examined. --resolver HOST[:PORT] sends every look-up to that name server
alone.

For user@domain the server is looked for in SRV records and in the configuration that the domain publishes over HTTPS for mail programs,
of which only the domain learns; the first of these that is found is examined. Where there is none, what is known of the domain's mail
exchanger is, or imap. and mail. before the domain. The address is the user name unless --user gives another.

# Another way

--via (with --source- or --dest- before it for a pair) goes through a SOCKS5 or HTTP proxy or an SSH host, for the check and the copy alike, so that the same check
from two places tells whose network is at fault: socks5://host[:1080], http://host[:8080], ssh://[user@]host[:22]. A host's name is resolved here and
its address dialed from there. An SSH host's key must be in ~/.ssh/known_hosts; the keys of the SSH agent and those in ~/.ssh without
passphrase are used. A user or password for a proxy cannot be given.

# Passwords

A password never stands on the command line. --password-from (with --source- or --dest- before it for a pair) says where it is:

	prompt              asked for on the terminal, without echo
	env:NAME            an environment variable
	file:PATH           the first line of a file
	fd:N, stdin         the next line of an open file; with two of stdin the source's line comes first
	cmd:PROGRAM ARGS    the first line of what a program prints; no shell
	cred:NAME           a systemd credential

With --auth OAUTHBEARER or --auth XOAUTH2 the secret is an OAuth 2.0 access token. They are never taken by themselves: what is given is a
password unless one of them is named.

plan, sync and verify need to sign in on both sides: without a reference they ask on a terminal, and exit with 4 where there is none.
probe and preflight leave the checks of the account out when they have no password.

# Profiles

	imapilot preflight --source … --dest … --save-profile move.profile
	imapilot sync --profile move.profile

--save-profile FILE keeps the settings that were found good, for preflight, plan, sync and verify. --profile FILE takes both sides from
there; what is given beside it, such as --source-password-from, comes first. For 15 minutes plan, sync and verify then go straight to the sign-in, as long as
nothing but where the passwords are was given besides; of the checks of the pair those are still made that can forbid to go on. After that, or
when a server cannot be reached like that any more, the preflight is made first.

The file is JSON, for the owner alone (mode 0600), and can be edited. It holds for source and dest: host, port, security (tls, starttls
or none), address (the one that answered), connect, via, server_name, min_tls, groups, pins, ca_certificates, user, authzid, auth and password_from.
No secret is in it, only where one is: what was typed, or came from stdin or fd, has to be typed again. A file that cannot be
used is exit code 3, with the line or the name of what is wrong.

# Output

stdout carries the result, in one format: text, or with -o json, ndjson, markdown, html, junit or sarif where the command has it.
Everything else goes to stderr. --report FILE, which may be repeated, writes the result to a file as well, in the format of its extension.

	probe, preflight    text, json, ndjson (the same object on one line), markdown, html, junit, sarif
	plan                text, json
	sync                text, json, ndjson (events as they happen), markdown, html
	verify              text, json, markdown, html

Files are named .txt, .json, .ndjson, .md, .html, .xml (JUnit) and .sarif. The HTML is one file that needs no other, no script and no
network. In JUnit XML each endpoint is a suite and each check a case; in SARIF 2.1.0 each code is a rule and each finding a result.

--redact masks user names, hosts, addresses and folder names in everything that probe, preflight, plan, sync and verify show: within a
run the same name has the same mask, such as user-1, host-2.example or folder-3. Certificates lose their serial numbers and digests, by
which a host could be looked up, Message-Ids are masked, paths of web addresses and CA files are left out, and of what a server said only the
response code stays. Names of organisations in certificates stay, and so does INBOX. It cannot be used with a log, which holds names,
nor with the wizard and demo.

--log-file appends a diagnostic log; at --log-level debug it holds what was said on each connection up to the end of sign-in. Secrets are in none
of these.

# Exit codes

	0     done; with warnings too, unless --fail-on warning
	1     a bug
	2     usage
	3     a file or a secret reference leads to nothing
	4     a question was needed and there is no terminal
	10    name resolution or network
	11    TLS or STARTTLS
	12    certificate, name or pin
	13    sign-in
	14    a server cannot do what the plan needs
	15    warnings with --fail-on warning; nothing was copied
	20    finished, but some messages were not copied, or the sides differ
	22    the destination is full
	23    the connection was lost and the retries are used up
	24    another run on the same accounts is at work
	25    safety stop: a folder was renumbered during the run
	75    the server asks to come back later
	129   SIGHUP, 130 Ctrl-C, 143 SIGTERM

The first of these signals stops a run safely: what was copied stays, and the same command goes on from there. The second one ends the
process at once, which is safe too.
*/
package main
