package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"
)

// fetchTime bounds what is fetched from an authority, from the look-up of its name to the last octet.
const fetchTime = 3 * time.Second

// A fetcher gets what a certificate names the place of: issuers, OCSP answers, revocation lists. The server wrote those addresses, and may have
// written anything: so only http, no redirect to another host, no private address unless the server's own is one, and little of it.
type fetcher struct {
	dial         dialFunc
	resolver     *net.Resolver
	allowPrivate bool
	cache        *fetchCache
}

// A fetchCache keeps what was fetched: the ports of a target mostly show one certificate. It is safe for concurrent use.
type fetchCache struct {
	mu   sync.Mutex
	done map[string]func() ([]byte, error)
}

// once calls fetch for the first who asks for key; the others get the same result.
func (c *fetchCache) once(key string, fetch func() ([]byte, error)) ([]byte, error) {
	c.mu.Lock()
	result := c.done[key]
	if result == nil {
		if c.done == nil {
			c.done = map[string]func() ([]byte, error){}
		}
		result = sync.OnceValues(fetch)
		c.done[key] = result
	}
	c.mu.Unlock()
	return result()
}

func (t *targetRun) fetcher(server netip.Addr) *fetcher {
	return &fetcher{dial: t.unwatched(), resolver: t.prober.fetchResolver(), allowPrivate: !public(server), cache: &t.fetched}
}

// fetchResolver is what looks names up that stand in certificates.
func (p *Prober) fetchResolver() *net.Resolver {
	if p.Resolver == nil {
		return net.DefaultResolver
	}
	return p.Resolver
}

// get fetches address, once for each target; with a body of contentType it posts that. At most limit octets are taken; more is an error.
func (f *fetcher) get(ctx context.Context, address string, limit int64, contentType string, body []byte) ([]byte, error) {
	return f.cache.once(address+"\n"+string(body), func() ([]byte, error) { return f.request(ctx, address, limit, contentType, body) })
}

func (f *fetcher) request(ctx context.Context, address string, limit int64, contentType string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	from, err := url.Parse(address)
	if err != nil || from.Scheme != "http" || from.Host == "" || from.User != nil {
		return nil, errors.New("not an http address")
	}
	method := http.MethodGet
	if body != nil {
		method = http.MethodPost
	}
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	transport := &http.Transport{DialContext: f.connect, DisableKeepAlives: true, MaxResponseHeaderBytes: 16 << 10} // no proxy of the environment
	client := &http.Client{Transport: transport, CheckRedirect: func(to *http.Request, via []*http.Request) error {
		if to.URL.Scheme != "http" || to.URL.Host != from.Host || len(via) > 2 {
			return errors.New("redirected elsewhere")
		}
		return nil
	}}
	response, err := client.Do(request)
	if err != nil {
		return nil, unwrapURL(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer is %s", response.Status)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("the answer is longer than %d octets", limit)
	}
	return data, err
}

// unwrapURL leaves the address out of an error: it is said beside it.
func unwrapURL(err error) error {
	var in *url.Error
	if errors.As(err, &in) {
		return in.Err
	}
	return err
}

// connect looks the host up and connects to the first address that is allowed. What is dialed is what was checked: a second look-up could say
// something else.
func (f *fetcher) connect(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addresses, err := f.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	err = fmt.Errorf("%s has only addresses that are not public", host)
	for _, a := range addresses[:min(len(addresses), maxAddresses)] {
		a = a.Unmap()
		if !f.allowPrivate && !public(a) {
			continue
		}
		var conn net.Conn
		if conn, err = f.dial(ctx, network, net.JoinHostPort(a.String(), port)); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// notPublic are the ranges, beside those that netip knows, that lead to no host of the Internet (RFC 6890, RFC 6598, RFC 6052).
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"),
}

// public reports whether an address belongs to the Internet at large.
func public(a netip.Addr) bool {
	a = a.Unmap()
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, p := range notPublic {
		if p.Contains(a) {
			return false
		}
	}
	return true
}
