// Package redact replaces names in what is shown: user names, hosts, addresses and folder names, and the digests and serial numbers by
// which a certificate, and so its host, could be looked up. Within one run the same name always gets the same mask, so that a report
// still reads as one.
//
// A name is masked where a field holds it, and wherever else it stands in a text. In a text, what looks like a host, an address or an
// e-mail address is masked too, known or not. What a server said in its own words is left out but for its response code: it may hold any
// name. Names of organisations in certificates stay, and so does INBOX, which every account has.
package redact

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Masks are the masks of one run. The zero value is not usable; see [New]. They are safe for concurrent use.
type Masks struct {
	key []byte // of the digests

	mu     sync.Mutex // guards what follows
	masks  map[string]string
	counts map[string]int
	known  []string        // what is looked for in texts, the longest first
	issued map[string]bool // all masks: what is masked stays as it is
}

// New returns masks for one run.
func New() *Masks {
	key := make([]byte, 16)
	rand.Read(key) // never fails
	return &Masks{key: key, masks: map[string]string{}, counts: map[string]int{}, issued: map[string]bool{}}
}

// User returns the mask of a user name, such as "user-1". The empty name has none.
func (m *Masks) User(name string) string { return m.of("user", name) }

// Folder returns the mask of a folder's name, such as "folder-3".
func (m *Masks) Folder(name string) string {
	if strings.EqualFold(name, "INBOX") { // RFC 9051 section 5.1: the one name that all have
		return name
	}
	return m.of("folder", name)
}

// Message returns the mask of a Message-Id, which often holds a host or a user.
func (m *Masks) Message(id string) string { return m.of("message", id) }

// Host returns the mask of a host name or an address: "host-1.example", or an address of those kept for documentation.
func (m *Masks) Host(name string) string {
	if a, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return m.address(a)
	}
	return m.of("host", strings.ToLower(strings.TrimSuffix(name, ".")))
}

// of returns the mask of a name, a new one when it was not seen before.
func (m *Masks) of(kind, name string) string {
	if name == "" {
		return ""
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if mask, ok := m.masks[name]; ok {
		return mask
	}
	if m.issued[name] {
		return name
	}
	m.counts[kind]++
	mask := fmt.Sprintf("%s-%d", kind, m.counts[kind])
	if kind == "host" {
		mask += ".example" // RFC 2606 section 2
	}
	m.learn(name, mask)
	if escaped := url.User(name).String(); escaped != name { // as in a URL
		m.learn(escaped, mask)
	}
	return mask
}

func (m *Masks) learn(name, mask string) {
	m.masks[name], m.issued[mask] = mask, true
	i, _ := slices.BinarySearchFunc(m.known, name, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	m.known = slices.Insert(m.known, i, name)
}

// address returns the mask of an IP address.
func (m *Masks) address(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	m.mu.Lock()
	defer m.mu.Unlock()
	if mask, ok := m.masks[a.String()]; ok {
		return mask
	}
	if m.issued[a.String()] {
		return a.String()
	}
	m.counts["address"]++
	n := m.counts["address"]
	mask := fmt.Sprintf("2001:db8::%x", n) // RFC 3849
	if a.Is4() {
		blocks := []string{"192.0.2", "198.51.100", "203.0.113"} // RFC 5737
		if n/254 < len(blocks) {
			mask = fmt.Sprintf("%s.%d", blocks[n/254], n%254+1)
		} else { // RFC 1112 section 4: reserved, as many as ever needed
			mask = fmt.Sprintf("240.%d.%d.%d", n>>16&0xff, n>>8&0xff, n&0xff)
		}
	}
	m.masks[a.String()], m.issued[mask] = mask, true
	return mask
}

// Digest returns a digest of the same form and length that leads nowhere: hex, or base64 behind "sha256/".
func (m *Masks) Digest(digest string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if digest == "" || m.issued[digest] {
		return digest
	}
	mask := m.digest(digest)
	m.issued[mask] = true
	return mask
}

func (m *Masks) digest(digest string) string {
	mac := hmac.New(sha256.New, m.key)
	if encoded, ok := strings.CutPrefix(digest, "sha256/"); ok {
		// The pin of a key and its digest in hex are one value.
		if octets, err := base64.StdEncoding.DecodeString(encoded); err == nil {
			digest = hex.EncodeToString(octets)
		}
		mac.Write([]byte(strings.ToLower(digest)))
		return "sha256/" + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	mac.Write([]byte(strings.ToLower(digest)))
	masked := hex.EncodeToString(mac.Sum(nil))
	for len(masked) < len(digest) {
		masked += masked
	}
	return masked[:len(digest)]
}

// Server returns what may be shown of a server's own words: the response code without its arguments.
func (m *Masks) Server(text string) string {
	if text == "" {
		return ""
	}
	if code, _, ok := strings.Cut(strings.TrimPrefix(text, "["), "]"); ok && strings.HasPrefix(text, "[") {
		name, _, _ := strings.Cut(code, " ")
		if name != "" && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") == "" {
			return "[" + name + "] " + Left
		}
	}
	return Left
}

// Left stands for what a server said.
const Left = "(masked)"

// said comes before a server's own words in our texts; a certificate in PEM holds its names in base64.
var said = regexp.MustCompile(`(?:the server|it) said: |-----BEGIN `)

// Text masks every name in a text of ours.
func (m *Masks) Text(text string) string {
	at := said.FindStringIndex(text)
	switch {
	case at == nil:
		return m.names(text)
	case text[at[0]] == '-':
		return m.names(text[:at[0]]) + Left
	}
	return m.names(text[:at[0]]) + text[at[0]:at[1]] + m.Server(text[at[1]:])
}

// words takes note of what a server said, so that it is left out wherever it is repeated, in quotes too.
func (m *Masks) words(text string) {
	if len(text) < 3 || text == Left { // too short to hold a name
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, form := range []string{text, strconv.Quote(text)} {
		if m.masks[form] == "" {
			m.learn(form, Left)
		}
	}
}

// names replaces known names, and what looks like one, in one pass: no mask is masked again.
func (m *Masks) names(text string) string {
	var b strings.Builder
	last := rune(' ')
	for len(text) > 0 {
		n, mask := m.nameAt(text, last)
		if n == 0 {
			_, n = utf8.DecodeRuneInString(text)
			mask = text[:n]
		}
		b.WriteString(mask)
		last, _ = utf8.DecodeLastRuneInString(text[:n])
		text = text[n:]
	}
	return b.String()
}

// nameAt returns the length and the mask of the name that text begins with, 0 if there is none. last precedes it.
func (m *Masks) nameAt(text string, last rune) (int, string) {
	if isWord(last) {
		return 0, ""
	}
	if name, mask := m.knownAt(text); name != "" {
		return len(name), mask
	}
	for _, p := range patterns {
		if found := p.expression.FindString(text); found != "" {
			if n, mask := p.mask(m, found); n > 0 {
				return n, mask
			}
		}
	}
	return 0, ""
}

// knownAt finds the longest known name at the beginning of text that ends where a word ends.
func (m *Masks) knownAt(text string) (name, mask string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range m.known {
		if !strings.HasPrefix(text, name) {
			continue
		}
		next, _ := utf8.DecodeRuneInString(text[len(name):])
		end, _ := utf8.DecodeLastRuneInString(name)
		if len(text) == len(name) || !isWord(next) || !isWord(end) {
			return name, m.masks[name]
		}
	}
	return "", ""
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' }
