package wire

// The functions of this file write ENVELOPE and BODYSTRUCTURE (RFC 9051 section 7.5.2) token by token. Each takes the index of its
// first token and returns the one behind its last; false means that go-imap could not read what stands there.

// nstring writes a string or NIL.
func (m *mender) nstring(i int) (int, bool) {
	switch {
	case m.isNIL(i):
		m.write("NIL")
	case m.isString(i):
		m.writeString(i)
	default:
		return i, false
	}
	return i + 1, true
}

// nstrings writes n of them, each behind a space but the first.
func (m *mender) nstrings(i, n int) (int, bool) {
	for k := range n {
		if k > 0 {
			m.write(" ")
		}
		var ok bool
		if i, ok = m.nstring(i); !ok {
			return i, false
		}
	}
	return i, true
}

func (m *mender) envelope(i int) (int, bool) {
	if !m.have(i, tokenOpen) {
		return i, false
	}
	m.write("(")
	i, ok := m.nstrings(i+1, 2) // date, subject
	for range 6 {               // from, sender, reply-to, to, cc, bcc
		if ok {
			m.write(" ")
			i, ok = m.addresses(i)
		}
	}
	if !ok {
		return i, false
	}
	m.write(" ")
	i, ok = m.nstrings(i, 2) // in-reply-to, message-id
	if !ok || !m.have(i, tokenShut) {
		return i, false
	}
	m.write(")")
	return i + 1, true
}

func (m *mender) addresses(i int) (int, bool) {
	if m.isNIL(i) {
		m.write("NIL")
		return i + 1, true
	}
	if !m.have(i, tokenOpen) {
		return i, false
	}
	m.write("(")
	for i++; m.have(i, tokenOpen); {
		m.write("(")
		var ok bool
		if i, ok = m.nstrings(i+1, 4); !ok || !m.have(i, tokenShut) {
			return i, false
		}
		m.write(")")
		i++
	}
	if !m.have(i, tokenShut) {
		return i, false
	}
	m.write(")")
	return i + 1, true
}

func (m *mender) body(i int) (int, bool) {
	if !m.have(i, tokenOpen) {
		return i, false
	}
	m.write("(")
	var ok bool
	if m.isString(i + 1) {
		i, ok = m.onePart(i + 1)
	} else {
		i, ok = m.multipart(i + 1)
	}
	if !ok {
		return i, false
	}
	// What else extensions may add is not read by go-imap, and not passed.
	for i < len(m.tokens) && !m.have(i, tokenShut) {
		i = m.skip(i)
	}
	if !m.have(i, tokenShut) {
		return i, false
	}
	m.write(")")
	return i + 1, true
}

func (m *mender) multipart(i int) (int, bool) {
	if !m.have(i, tokenOpen) {
		return i, false
	}
	for m.have(i, tokenOpen) {
		var ok bool
		if i, ok = m.body(i); !ok {
			return i, false
		}
	}
	if !m.isString(i) {
		return i, false
	}
	m.write(" ")
	m.writeString(i)
	if i++; m.have(i, tokenShut) {
		return i, true
	}
	m.write(" ")
	i, ok := m.parameters(i)
	return m.extension(i, ok)
}

func (m *mender) onePart(i int) (int, bool) {
	if !m.isString(i + 1) {
		return i, false
	}
	mediaType, subtype := m.value(i), m.value(i+1)
	m.writeString(i)
	m.write(" ")
	m.writeString(i + 1)
	m.write(" ")
	i, ok := m.parameters(i + 2)
	if !ok {
		return i, false
	}
	m.write(" ")
	if i, ok = m.nstrings(i, 3); !ok { // id, description, encoding
		return i, false
	}
	if !m.number(i, 32) && string(m.raw(i)) != "-1" { // go-imap knows of the servers that write -1
		return i, false
	}
	m.write(" ")
	m.writeBytes(m.raw(i))
	if i++; m.have(i, tokenShut) {
		return i, true
	}
	switch {
	case is(mediaType, "MESSAGE") && (is(subtype, "RFC822") || is(subtype, "GLOBAL")):
		i, ok = m.message(i)
	case is(mediaType, "TEXT"):
		i, ok = m.lines(i)
	}
	if !ok || m.have(i, tokenShut) {
		return i, ok
	}
	m.write(" ")
	i, ok = m.nstring(i) // MD5
	return m.extension(i, ok)
}

// message writes what follows the octets of message/rfc822.
func (m *mender) message(i int) (int, bool) {
	m.write(" ")
	i, ok := m.envelope(i)
	if !ok {
		return i, false
	}
	m.write(" ")
	if i, ok = m.body(i); !ok {
		return i, false
	}
	return m.lines(i)
}

func (m *mender) lines(i int) (int, bool) {
	if !m.number(i, 63) {
		return i, false
	}
	m.write(" ")
	m.writeBytes(m.raw(i))
	return i + 1, true
}

// extension writes disposition, language and location, as far as they are there.
func (m *mender) extension(i int, ok bool) (int, bool) {
	for _, field := range []func(*mender, int) (int, bool){(*mender).disposition, (*mender).language, (*mender).nstring} {
		if !ok || m.have(i, tokenShut) {
			return i, ok
		}
		m.write(" ")
		i, ok = field(m, i)
	}
	return i, ok
}

// parameters writes a list of names and values, or NIL. go-imap takes an empty name for one that is still to come.
func (m *mender) parameters(i int) (int, bool) {
	if m.isNIL(i) {
		m.write("NIL")
		return i + 1, true
	}
	if !m.have(i, tokenOpen) {
		return i, false
	}
	m.write("(")
	first := true
	for i++; m.isString(i); i += 2 {
		if len(m.value(i)) == 0 || !m.isString(i+1) {
			return i, false
		}
		if !first {
			m.write(" ")
		}
		first = false
		m.writeString(i)
		m.write(" ")
		m.writeString(i + 1)
	}
	if !m.have(i, tokenShut) {
		return i, false
	}
	m.write(")")
	return i + 1, true
}

func (m *mender) disposition(i int) (int, bool) {
	if m.isNIL(i) {
		m.write("NIL")
		return i + 1, true
	}
	if !m.have(i, tokenOpen) || !m.isString(i+1) {
		return i, false
	}
	m.write("(")
	m.writeString(i + 1)
	m.write(" ")
	i, ok := m.parameters(i + 2)
	if !ok || !m.have(i, tokenShut) {
		return i, false
	}
	m.write(")")
	return i + 1, true
}

// language writes a string, a list of strings or NIL.
func (m *mender) language(i int) (int, bool) {
	if !m.have(i, tokenOpen) {
		return m.nstring(i)
	}
	m.write("(")
	first := true
	for i++; m.isString(i); i++ {
		if !first {
			m.write(" ")
		}
		first = false
		m.writeString(i)
	}
	if !m.have(i, tokenShut) {
		return i, false
	}
	m.write(")")
	return i + 1, true
}
