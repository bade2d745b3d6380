package imapdial

import "github.com/imapilot-project/imapilot/probe/imapdial/secret"

// An Account is everything needed to open a mailbox store: where, how, who, and a reference to the secret.
type Account struct {
	Endpoint  Endpoint
	User      string // authentication identity, and the mailbox unless AuthzID is set
	AuthzID   string // authorization identity: act for this user (RFC 4616); "" means User
	Mechanism string // SASL mechanism in upper case, or LOGIN for the command; "" means the strongest both sides have
	Secret    *secret.Reference
}
