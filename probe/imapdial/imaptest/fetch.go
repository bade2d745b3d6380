package imaptest

import (
	"bufio"
	"bytes"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-message/textproto"
)

func (s *session) Fetch(w *imapserver.FetchWriter, set imap.NumSet, o *imap.FetchOptions) error {
	return s.do("FETCH", "", func() error {
		v := s.selected.Load()
		seen := !v.readOnly && slices.ContainsFunc(o.BodySection, func(b *imap.FetchItemBodySection) bool { return !b.Peek })
		var positions []position
		s.account.mu.Lock()
		for _, p := range v.positions(set) {
			if seen && !p.has(imap.FlagSeen) {
				// RFC 9051 section 6.4.5: BODY[] without PEEK sets \Seen, and the client is told.
				v.mailbox.store(p.index, &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagSeen}}, nil)
				p.message = *v.mailbox.messages[p.index]
			}
			positions = append(positions, p)
		}
		s.account.mu.Unlock()
		// Without the lock: a client that does not read must not stop the others.
		return s.write(w, positions, o)
	})
}

// write sends a FETCH response for each message.
func (s *session) write(w *imapserver.FetchWriter, positions []position, o *imap.FetchOptions) error {
	name := s.selected.Load().name()
	hook := s.server.currentHooks().Body
	for _, p := range positions {
		served := p.body
		if hook != nil && len(o.BodySection) > 0 {
			served = hook(name, uint32(p.uid), p.body)
		}
		if err := writeMessage(w.CreateMessage(p.seq), p, served, o); err != nil {
			return err
		}
	}
	return nil
}

// writeMessage writes one FETCH response, with served for the body. go-imap holds a lock until Close, whatever happens.
func writeMessage(r *imapserver.FetchResponseWriter, p position, served []byte, o *imap.FetchOptions) (err error) {
	defer func() {
		if closeErr := r.Close(); err == nil {
			err = closeErr
		}
	}()
	if o.UID {
		r.WriteUID(p.uid)
	}
	if o.Flags {
		r.WriteFlags(p.flags)
	}
	if o.InternalDate {
		r.WriteInternalDate(p.date)
	}
	if o.RFC822Size {
		r.WriteRFC822Size(int64(len(p.body)))
	}
	if o.Envelope {
		r.WriteEnvelope(envelope(p.body))
	}
	if o.BodyStructure != nil {
		r.WriteBodyStructure(imapserver.ExtractBodyStructure(bytes.NewReader(p.body)))
	}
	for _, section := range o.BodySection {
		octets := bodySection(served, section)
		literal := r.WriteBodySection(section, int64(len(octets)))
		_, err := literal.Write(octets)
		if closeErr := literal.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func envelope(body []byte) *imap.Envelope {
	header, err := textproto.ReadHeader(bufio.NewReader(bytes.NewReader(body)))
	if err != nil {
		return nil
	}
	return imapserver.ExtractEnvelope(header)
}

// bodySection returns the octets of a section. What is not a MIME part is cut out of the message as it stands: go-imap's own
// function reads the header into fields and writes it anew, and gives nothing at all for one that it cannot read.
func bodySection(body []byte, section *imap.FetchItemBodySection) []byte {
	if len(section.Part) > 0 {
		return imapserver.ExtractBodySection(bytes.NewReader(body), section)
	}
	header, text := splitMessage(body)
	octets := body
	switch section.Specifier {
	case imap.PartSpecifierHeader:
		octets = chooseFields(header, section)
	case imap.PartSpecifierText:
		octets = text
	}
	if p := section.Partial; p != nil {
		start := min(p.Offset, int64(len(octets)))
		octets = octets[start:min(start+p.Size, int64(len(octets)))]
	}
	return octets
}

// splitMessage splits a message after the empty line that ends its header.
func splitMessage(body []byte) (header, text []byte) {
	for rest := body; len(rest) > 0; {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		rest = after
		if len(bytes.TrimRight(line, "\r")) == 0 {
			return body[:len(body)-len(rest)], rest
		}
	}
	return body, nil
}

// chooseFields returns the header, or of it what HEADER.FIELDS or HEADER.FIELDS.NOT asks for and an empty line.
func chooseFields(header []byte, section *imap.FetchItemBodySection) []byte {
	if len(section.HeaderFields) == 0 && len(section.HeaderFieldsNot) == 0 {
		return header
	}
	named := func(list []string, name string) bool {
		return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, name) })
	}
	var chosen []byte
	for _, f := range headerFields(header) {
		if len(section.HeaderFields) > 0 && named(section.HeaderFields, f.name) || len(section.HeaderFieldsNot) > 0 && !named(section.HeaderFieldsNot, f.name) {
			chosen = append(chosen, f.raw...)
		}
	}
	return append(chosen, "\r\n"...)
}

// A headerField is one field of a header, however it is written.
type headerField struct {
	name string
	raw  []byte // with its continuation lines and their ends
}

// headerFields takes a header apart. A line without a colon is a field without a name.
func headerFields(header []byte) []headerField {
	var fields []headerField
	for line := range bytes.Lines(header) {
		switch {
		case len(bytes.TrimRight(line, "\r\n")) == 0:
		case (line[0] == ' ' || line[0] == '\t') && len(fields) > 0:
			last := &fields[len(fields)-1]
			last.raw = append(last.raw[:len(last.raw):len(last.raw)], line...)
		default:
			name, _, found := bytes.Cut(line, []byte(":"))
			if !found {
				name = nil
			}
			fields = append(fields, headerField{string(bytes.TrimSpace(name)), line})
		}
	}
	return fields
}
