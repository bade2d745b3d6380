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
	imaps://[user@]host[:port]      TLS from the first byte
	imap+starttls://…, imap://…     STARTTLS, required
	imap+insecure://…               no TLS at all; only with --allow-plaintext
	imap+auto://…                   as without a scheme

The user is percent-encoded: imaps://anna%40example.org@imap.example.org. A password in a URL is refused. There is no mode that falls
back from TLS to less.

# Passwords

A password never stands on the command line. --password-from (with --source- or --dest- before it for a pair) says where it is:

	prompt              asked for on the terminal, without echo
	env:NAME            an environment variable
	file:PATH           the first line of a file
	fd:N, stdin         the next line of an open file; with two of stdin the source's line comes first
	cmd:PROGRAM ARGS    the first line of what a program prints; no shell
	cred:NAME           a systemd credential

plan, sync and verify need to sign in on both sides: without a reference they ask on a terminal, and exit with 4 where there is none.
probe and preflight leave the checks of the account out when they have no password.

# Output

stdout carries the result, in one format: text, or with -o json, ndjson, markdown or html where the command has it. Everything else
goes to stderr. --report FILE, which may be repeated, writes the result to a file as well, in the format of its extension.

	probe, preflight    text, json, ndjson (the same object on one line)
	plan                text, json
	sync                text, json, ndjson (events as they happen), markdown, html
	verify              text, json, markdown, html

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
