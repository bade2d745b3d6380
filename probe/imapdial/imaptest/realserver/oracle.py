"""Reads an IMAP account and prints, as JSON, for each mailbox what its messages are. The question comes on standard input."""

import base64
import datetime
import hashlib
import imaplib
import json
import re
import ssl
import sys

BATCH = 200  # messages asked for at once
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()

imaplib._MAXLINE = 10_000_000  # a line of LIST or FLAGS may be long


def connect(q):
    context = ssl.create_default_context(cadata=q["root"]) if q["security"] != "none" else None
    if q["security"] == "tls":
        c = imaplib.IMAP4_SSL(q["host"], q["port"], ssl_context=context, timeout=60)
    else:
        c = imaplib.IMAP4(q["host"], q["port"], timeout=60)
        if context:
            c.starttls(context)
    if "AUTH=PLAIN" in c.capabilities:  # any character may be in the password
        c.authenticate("PLAIN", lambda _: f"\0{q['user']}\0{q['password']}".encode())
    else:
        c.login(q["user"], q["password"])
    return c


def answer(reply):
    status, data = reply
    if status != "OK":
        raise SystemExit(f"{status} {data}")
    return data


def from_utf7(name):
    """Modified UTF-7, RFC 3501 section 5.1.3."""
    def decode(match):
        coded = match[1]
        if not coded:
            return "&"
        return base64.b64decode(coded.replace(",", "/") + "=" * (-len(coded) % 4)).decode("utf-16-be")
    return re.sub("&([^-]*)-", decode, name)


def mailboxes(c):
    """Pairs of a name on the wire, ready to be sent, and the name that people read."""
    for entry in answer(c.list('""', "*")):
        if not entry:
            continue
        literal = isinstance(entry, tuple)
        line = (entry[0] if literal else entry).decode()
        match = re.match(r'\((.*?)\) (?:"(?:\\?.)"|NIL) (.*)$', line)
        if {"\\noselect", "\\nonexistent"} & set(match[1].lower().split()):
            continue
        raw = entry[1].decode() if literal else match[2]
        if not literal and raw.startswith('"'):
            raw = re.sub(r"\\(.)", r"\1", raw[1:-1])
        yield '"' + re.sub(r'(["\\])', r"\\\1", raw) + '"', from_utf7(raw)


def epoch(text):
    """An INTERNALDATE in seconds, without help of locale or the local zone."""
    day, month, year, h, m, s, sign, zh, zm = re.match(r"([ \d]\d)-(\w{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)$", text).groups()
    zone = datetime.timedelta(hours=int(zh), minutes=int(zm)) * (-1 if sign == "-" else 1)
    date = datetime.datetime(int(year), MONTHS.index(month) + 1, int(day), int(h), int(m), int(s), tzinfo=datetime.timezone(zone))
    return int(date.timestamp())


def messages(c, mailbox):
    count = int(answer(c.select(mailbox, readonly=True))[0])
    for first in range(1, count + 1, BATCH):
        last = min(first + BATCH - 1, count)
        data = answer(c.fetch(f"{first}:{last}", "(FLAGS INTERNALDATE BODY.PEEK[])"))
        found = 0
        for i, part in enumerate(data):
            if not isinstance(part, tuple):
                continue
            # The items come in any order, before and after the literal.
            after = data[i + 1] if i + 1 < len(data) and isinstance(data[i + 1], bytes) else b""
            items = (part[0] + b" " + after).decode("latin-1")
            flags = re.search(r"FLAGS \((.*?)\)", items)[1].lower().split()
            found += 1
            yield {
                "sha256": hashlib.sha256(part[1]).hexdigest(),
                "size": len(part[1]),
                "flags": sorted(set(flags) - {"\\recent"}),
                "date": epoch(re.search(r'INTERNALDATE "(.*?)"', items)[1]),
            }
        if found != last - first + 1:
            raise SystemExit(f"{mailbox}: asked for {first}:{last}, got {found} messages")


def main():
    c = connect(json.load(sys.stdin))
    key = lambda m: (m["sha256"], m["flags"], m["date"])
    json.dump({name: sorted(messages(c, wire), key=key) for wire, name in list(mailboxes(c))}, sys.stdout)
    c.logout()


main()
