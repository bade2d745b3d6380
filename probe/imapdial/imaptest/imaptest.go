// Package imaptest holds IMAP servers and a certificate authority that exist only while a program runs: for tests, and
// for the demonstration that the command brings along. It leaves scripted servers and faults on the wire to package
// faulty, and real servers to package realserver.
//
// A [Server] is go-imap's server on a loopback address with accounts in memory. The mailboxes are our own and not those
// of imapmemserver: that one lower-cases flags and keywords, forgets special uses, holds a lock while it writes to a slow client, and
// gives a test no way to look into a mailbox. What goes over the wire is go-imap's.
//
// A [CA] issues certificates that are good, or bad in exactly one way. [Sample] is mail worth looking at.
//
// Not guaranteed: durability (everything is in memory), \Recent, CONDSTORE, QUOTA, ACL, MULTIAPPEND.
package imaptest
