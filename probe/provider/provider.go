// Package provider knows what is peculiar to the big mail providers: where a password of one's own is wanted for IMAP, where only OAuth
// tokens are, where IMAP has to be switched on, what a user name looks like, and what the words of a refusal mean there. All of it is in
// one data file with a date, because it ages.
//
// Not guaranteed: that any of it still holds. It makes a diagnosis more helpful; what a server says in a response code comes first.
package provider

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"
)

// Kind is what a hint is about.
type Kind string

// The kinds of hints.
const (
	AppPassword  Kind = "app-password"  // another password than that of the account is wanted
	OAuthOnly    Kind = "oauth-only"    // no password is taken
	IMAPOff      Kind = "imap-off"      // IMAP has to be switched on, or belongs to another plan
	UserName     Kind = "user-name"     // the form of the user name
	WebLogin     Kind = "web-login"     // a sign-in with a browser comes first
	Limit        Kind = "limit"         // too many connections or sign-ins at a time
	TrafficLimit Kind = "traffic-limit" // too much was read or written
	IDRequired   Kind = "id-required"   // nothing opens to a client that did not send an ID it accepts
	NoMailbox    Kind = "no-mailbox"    // signed in, and no mailbox behind it
)

// kinds are all of them.
var kinds = []Kind{AppPassword, OAuthOnly, IMAPOff, UserName, WebLogin, Limit, TrafficLimit, IDRequired, NoMailbox}

// A Provider is one entry of the data file.
type Provider struct {
	Name      string          `json:"name"`
	Server    string          `json:"server"`     // host of IMAP with TLS, "" where there is none for all
	Hosts     []string        `json:"hosts"`      // of IMAP servers; a name below one counts too
	MX        []string        `json:"mx"`         // domains of mail exchangers; a name below one counts too
	Banners   []string        `json:"banners"`    // parts of the greeting
	OAuthOnly bool            `json:"oauth_only"` // no password is taken from anybody
	Form      string          `json:"app_password"`
	Hints     map[Kind]string `json:"hints"` // what to do, for a person

	form *regexp.Regexp // of an app password, blanks left out; nil where not everybody needs one
}

// Hint returns what to do about kind, or "". A nil Provider has none.
func (p *Provider) Hint(kind Kind) string {
	if p == nil {
		return ""
	}
	return p.Hints[kind]
}

// WantsAppPassword reports whether everybody needs an app password here and password does not look like one. It is false where the file
// gives no form for app passwords. The password is not kept.
func (p *Provider) WantsAppPassword(password []byte) bool {
	if p == nil || p.form == nil {
		return false
	}
	bare := make([]byte, 0, len(password))
	for _, c := range password {
		if c != ' ' { // some are shown in groups
			bare = append(bare, c)
		}
	}
	defer clear(bare)
	return !p.form.Match(bare)
}

// A refusal is a part of a server's words, in lower case, and what it means.
type refusal struct {
	Text string `json:"text"`
	Kind Kind   `json:"kind"`          // "" where the words are known to mean nothing
	Why  string `json:"why,omitempty"` // for the reader of the file
}

// data is the file.
type data struct {
	Date      string     `json:"date"` // when it was last gone through, as 2006-01-02
	Providers []Provider `json:"providers"`
	Refusals  []refusal  `json:"refusals"`
}

//go:embed providers.json
var file []byte

var load = sync.OnceValues(func() (*data, error) {
	d := new(data)
	decoder := json.NewDecoder(strings.NewReader(string(file)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(d); err != nil {
		return d, fmt.Errorf("providers.json: %w", err)
	}
	for i := range d.Providers {
		p := &d.Providers[i]
		if p.Form == "" {
			continue
		}
		form, err := regexp.Compile(p.Form)
		if err != nil {
			return d, fmt.Errorf("providers.json: %s: %w", p.Name, err)
		}
		p.form = form
	}
	return d, nil
})

// loaded is the file; that it can be read is what a test sees to.
func loaded() *data {
	d, err := load()
	if err != nil {
		panic(err)
	}
	return d
}

// Date returns when the data was last gone through.
func Date() time.Time {
	t, _ := time.Parse(time.DateOnly, loaded().Date)
	return t
}

// All returns every provider, in the order of the file. They are shared and must not be changed.
func All() []*Provider {
	d := loaded()
	all := make([]*Provider, len(d.Providers))
	for i := range d.Providers {
		all[i] = &d.Providers[i]
	}
	return all
}

// Of returns the provider that serves IMAP at host, or greets with greeting; nil for none that is known.
func Of(host, greeting string) *Provider {
	for _, p := range All() {
		if below(host, p.Hosts) {
			return p
		}
	}
	for _, p := range All() {
		for _, b := range p.Banners {
			if strings.Contains(strings.ToLower(greeting), strings.ToLower(b)) {
				return p
			}
		}
	}
	return nil
}

// OfMX returns the provider whose mail exchanger host is; nil for none that is known.
func OfMX(host string) *Provider {
	for _, p := range All() {
		if below(host, p.MX) {
			return p
		}
	}
	return nil
}

// below reports whether host is one of domains, or a name below one.
func below(host string, domains []string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, d := range domains {
		if host == d || strings.HasSuffix(host, "."+d) {
			return true
		}
	}
	return false
}

// Meaning returns what the words of a refusal mean, "" for none that are known. The words are those of the response text, without its code.
func Meaning(words string) Kind {
	words = strings.ToLower(words)
	for _, r := range loaded().Refusals {
		if strings.Contains(words, r.Text) {
			return r.Kind
		}
	}
	return ""
}
