// Package mailsync copies the mail of one IMAP account to another, and tells the truth about it: plan, run, verify.
//
// The folder is called sync, as the design has it; the package is not, because it and those who import it also need the
// standard library's sync.
//
// For each mailbox it reads what both sides hold, compares ([Compare], a pure function), copies what is missing with flags,
// keywords and INTERNALDATE, sets the flags that the source has and the destination lacks, and at the end reads the destination
// again and counts. It deletes nothing, on either side, and writes nothing to the source: mailboxes there are opened with EXAMINE and
// bodies read with BODY.PEEK (RFC 9051 section 6.4.5).
//
// Three calls do the work: [MakePlan], [Sync] and [Verify]. Who watches gives them a [Live].
//
// # How a message is copied
//
// One goroutine reads bodies from the source and hands batches to another, which writes them on a connection of its own. A message whose
// APPEND was sent and never answered is in doubt: before anything is sent again, the destination is read from the first UID that did not
// exist when the mailbox was compared, and what arrived is counted as copied. Nothing is kept on disk; every run compares.
//
// # Where to add things
//
// What makes two messages the same is in identity.go and compare.go; where a mailbox goes is in pair.go; what is worth
// another try is in errors.go; a new event is a struct in event.go.
//
// # What it does not promise
//
// A server that changes messages on arrival keeps changed ones (they are counted). Two programs that write to the destination at once may
// both copy a message. An APPEND that reaches the destination long after its connection was given up can leave a second copy; that is counted as a
// surplus and reported, never deleted.
package mailsync
