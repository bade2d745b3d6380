package imaptest

import (
	"bytes"
	"mime"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

func (s *session) Search(kind imapserver.NumKind, criteria *imap.SearchCriteria, o *imap.SearchOptions) (data *imap.SearchData, err error) {
	err = s.do("SEARCH", "", func() error {
		v := s.selected.Load()
		var found []position
		s.account.mu.Lock()
		all := v.all()
		for _, p := range all {
			if v.match(p, all[len(all)-1], criteria) {
				found = append(found, p)
			}
		}
		s.account.mu.Unlock()
		data = searchData(kind, found)
		if o.ReturnSave {
			v.saved = nil
			for _, p := range found {
				v.saved.AddNum(p.uid)
			}
		}
		return nil
	})
	return data, err
}

func searchData(kind imapserver.NumKind, found []position) *imap.SearchData {
	data := &imap.SearchData{Count: uint32(len(found))}
	var seqs imap.SeqSet
	var uids imap.UIDSet
	for i, p := range found {
		number := p.seq
		if kind == imapserver.NumKindUID {
			number = uint32(p.uid)
		}
		if i == 0 {
			data.Min = number
		}
		data.Max = number
		seqs.AddNum(p.seq)
		uids.AddNum(p.uid)
	}
	if data.All = seqs; kind == imapserver.NumKindUID {
		data.All = uids
	}
	return data
}

// match reports whether a message meets all criteria (RFC 9051 section 6.4.4); last is the last one of the mailbox.
func (v *view) match(p, last position, c *imap.SearchCriteria) bool {
	for _, set := range c.SeqNum {
		if !v.resolve(set, last)(p) {
			return false
		}
	}
	for _, set := range c.UID {
		if !v.resolve(set, last)(p) {
			return false
		}
	}
	for _, flag := range c.Flag {
		if !p.has(flag) {
			return false
		}
	}
	if slices.ContainsFunc(c.NotFlag, p.has) {
		return false
	}
	size := int64(len(p.body))
	if c.Larger != 0 && size <= c.Larger || c.Smaller != 0 && size >= c.Smaller || !within(p.date, c.Since, c.Before) {
		return false
	}
	if !matchText(p.body, c) {
		return false
	}
	for i := range c.Not {
		if v.match(p, last, &c.Not[i]) {
			return false
		}
	}
	for i := range c.Or {
		if !v.match(p, last, &c.Or[i][0]) && !v.match(p, last, &c.Or[i][1]) {
			return false
		}
	}
	return true
}

// within compares dates without time and zone (RFC 9051 section 6.4.4).
func within(t, since, before time.Time) bool {
	day := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	return (since.IsZero() || !day.Before(since)) && (before.IsZero() || day.Before(before))
}

// matchText looks into the message. TEXT and BODY compare the octets, without decoding MIME parts.
func matchText(body []byte, c *imap.SearchCriteria) bool {
	if len(c.Header) == 0 && len(c.Text) == 0 && len(c.Body) == 0 && c.SentSince.IsZero() && c.SentBefore.IsZero() {
		return true
	}
	header, text := splitMessage(body)
	fields := headerFields(header)
	for _, want := range c.Header {
		if !slices.ContainsFunc(fields, func(f headerField) bool {
			return strings.EqualFold(f.name, want.Key) && strings.Contains(strings.ToLower(f.text()), strings.ToLower(want.Value))
		}) {
			return false
		}
	}
	if !c.SentSince.IsZero() || !c.SentBefore.IsZero() {
		i := slices.IndexFunc(fields, func(f headerField) bool { return strings.EqualFold(f.name, "Date") })
		if i < 0 {
			return false
		}
		sent, err := mail.ParseDate(fields[i].text())
		if err != nil || !within(sent, c.SentSince, c.SentBefore) {
			return false
		}
	}
	for _, want := range c.Text {
		if !bytes.Contains(bytes.ToLower(body), bytes.ToLower([]byte(want))) {
			return false
		}
	}
	for _, want := range c.Body {
		if !bytes.Contains(bytes.ToLower(text), bytes.ToLower([]byte(want))) {
			return false
		}
	}
	return true
}

// text returns the field's value, unfolded and with encoded words decoded.
func (f headerField) text() string {
	_, value, _ := strings.Cut(string(f.raw), ":")
	value = strings.TrimSpace(strings.NewReplacer("\r", "", "\n", "").Replace(value))
	if decoded, err := new(mime.WordDecoder).DecodeHeader(value); err == nil {
		return decoded
	}
	return value
}
