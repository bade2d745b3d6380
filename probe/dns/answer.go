package dns

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	miekg "github.com/miekg/dns"
)

// Outcome is what became of a question.
type Outcome uint8

// The outcomes of a question. Silent, the zero value, stands for all cases in which no answer came.
const (
	Silent   Outcome = iota // nothing came, or nothing that can be read
	Found                   // there are records
	NoData                  // the name exists, and has no record of this type (RFC 2308 section 2.2)
	NXDomain                // the name does not exist (RFC 2308 section 2.1)
	ServFail                // the server could not find out
	Refused                 // the server does not answer this client
	Bogus                   // the server could find out, and DNSSEC forbids it to say (RFC 4035 section 5.5)
)

// Definite reports whether the outcome says what is in the DNS.
func (o Outcome) Definite() bool { return o == Found || o == NoData || o == NXDomain }

func (o Outcome) String() string {
	return [...]string{"no answer", "found", "no such record", "NXDOMAIN", "SERVFAIL", "REFUSED", "DNSSEC failure"}[o]
}

// The types of records that can be asked for.
const (
	TypeA    = miekg.TypeA
	TypeAAAA = miekg.TypeAAAA
	TypeMX   = miekg.TypeMX
	TypeSRV  = miekg.TypeSRV
	TypeTLSA = miekg.TypeTLSA
)

// An Answer is what became of one question.
type Answer struct {
	Name    string
	Type    uint16
	Outcome Outcome
	// Authentic tells that the server says it has validated the answer (the AD bit).
	Authentic bool
	Server    string // who gave the answer, or was asked last; HOST:PORT
	Transport string // "udp", or "tcp" when the answer did not fit
	Err       error  // why there is no answer; nil unless Outcome is Silent
	// Extended is the server's own reason for a failure (RFC 8914), as it came; it is not printable yet.
	Extended string
	// DNSSEC tells that this reason is one of DNSSEC.
	DNSSEC bool
	Took   time.Duration

	records []miekg.RR
}

// maxRecords bounds what is kept of an answer.
const maxRecords = 64

// read takes the answer from a message.
func (a *Answer) read(r *miekg.Msg) {
	a.Authentic = r.AuthenticatedData
	a.extended(r.IsEdns0())
	switch r.Rcode {
	case miekg.RcodeSuccess:
		a.records = owned(r)
		a.Outcome = NoData
		if len(a.records) > 0 {
			a.Outcome = Found
		}
	case miekg.RcodeNameError:
		a.Outcome = NXDomain
	case miekg.RcodeRefused:
		a.Outcome = Refused
	default:
		// FORMERR, NOTIMP and what else there is have this in common: the server could not find out.
		a.Outcome = ServFail
	}
}

// owned returns the records of the type asked for that belong to the name, or to what its CNAMEs lead to. They stand in order, as
// RFC 1034 section 4.3.2 has it.
func owned(r *miekg.Msg) []miekg.RR {
	name, qtype := r.Question[0].Name, r.Question[0].Qtype
	var records []miekg.RR
	for _, rr := range r.Answer {
		h := rr.Header()
		if !strings.EqualFold(h.Name, name) || len(records) == maxRecords {
			continue
		}
		if alias, ok := rr.(*miekg.CNAME); ok {
			name = alias.Target
		}
		if h.Rrtype == qtype {
			records = append(records, rr)
		}
	}
	return records
}

// extended reads the reason that a server adds to a failure (RFC 8914 section 4).
func (a *Answer) extended(opt *miekg.OPT) {
	if opt == nil {
		return
	}
	for _, o := range opt.Option {
		e, ok := o.(*miekg.EDNS0_EDE)
		if !ok {
			continue
		}
		title, known := miekg.ExtendedErrorCodeToString[e.InfoCode]
		if !known {
			title = "code " + strconv.Itoa(int(e.InfoCode))
		}
		a.Extended = title
		if e.ExtraText != "" {
			a.Extended += ": " + e.ExtraText
		}
		// 1 and 2: unsupported algorithms; 5 to 12: validation failed.
		a.DNSSEC = e.InfoCode == 1 || e.InfoCode == 2 || 5 <= e.InfoCode && e.InfoCode <= 12
		return
	}
}

// Addresses are those of A and AAAA records.
func (a *Answer) Addresses() []netip.Addr {
	var list []netip.Addr
	for _, rr := range a.records {
		var found netip.Addr
		switch rr := rr.(type) {
		case *miekg.A:
			found, _ = netip.AddrFromSlice(rr.A)
		case *miekg.AAAA:
			found, _ = netip.AddrFromSlice(rr.AAAA)
		}
		if found = found.Unmap(); found.IsValid() && !slices.Contains(list, found) {
			list = append(list, found)
		}
	}
	return list
}

// SRV is one record of that type (RFC 2782).
type SRV struct {
	Target           string // without the dot of the root; "" says that the service is decidedly not available
	Port             uint16
	Priority, Weight uint16
}

// SRV returns the records in the order in which they are to be tried: by priority, heavier ones first. The lottery of RFC 2782
// among equals is for clients that spread load; a diagnosis has to be repeatable.
func (a *Answer) SRV() []SRV {
	var list []SRV
	for _, rr := range a.records {
		if rr, ok := rr.(*miekg.SRV); ok {
			list = append(list, SRV{strings.TrimSuffix(strings.ToLower(rr.Target), "."), rr.Port, rr.Priority, rr.Weight})
		}
	}
	slices.SortStableFunc(list, func(a, b SRV) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(b.Weight, a.Weight), cmp.Compare(a.Target, b.Target))
	})
	return list
}

// Declined reports whether the answer says that there is decidedly no such service: the target "." (RFC 6186 section 3.4).
func (a *Answer) Declined() bool {
	list := a.SRV()
	return len(list) == 1 && list[0].Target == ""
}

// MX returns the names of the mail exchangers, the preferred one first, without the dot of the root.
func (a *Answer) MX() []string {
	var list []*miekg.MX
	for _, rr := range a.records {
		if rr, ok := rr.(*miekg.MX); ok {
			list = append(list, rr)
		}
	}
	slices.SortStableFunc(list, func(a, b *miekg.MX) int { return cmp.Compare(a.Preference, b.Preference) })
	var names []string
	for _, rr := range list {
		names = append(names, strings.TrimSuffix(strings.ToLower(rr.Mx), "."))
	}
	return names
}
