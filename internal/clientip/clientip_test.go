package clientip_test

import (
	"net/netip"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/clientip"
)

// trustedProxies stand in front of the application in the tests that list them:
// a private network, a public balancer and an IPv6 network.
var trustedProxies = clientip.ParseTrusted([]string{"10.0.0.0/8", "198.51.100.1", "2001:db8:ffff::/48"})

// parseCase is a text and the expected address, "" for no address.
type parseCase struct{ text, want string }

// singleValues have the same result with and without trusted proxies.
var singleValues = map[string]parseCase{
	"an IPv4 address":                       {"203.0.113.7", "203.0.113.7"},
	"an IPv6 address":                       {"2001:db8::1", "2001:db8::1"},
	"surrounding blanks":                    {" \t203.0.113.7\t ", "203.0.113.7"},
	"IPv4 with a port":                      {"203.0.113.7:40001", "203.0.113.7"},
	"IPv6 with a port":                      {"[2001:db8::1]:443", "2001:db8::1"},
	"brackets without a port":               {"[2001:db8::1]", "2001:db8::1"},
	"a zone is dropped":                     {"fe80::1%eth0", "fe80::1"},
	"a zone in brackets is dropped":         {"[fe80::1%25eth0]:443", "fe80::1"},
	"IPv4-mapped IPv6":                      {"::ffff:203.0.113.7", "203.0.113.7"},
	"IPv4-mapped IPv6 in hexadecimal":       {"::FFFF:CB00:7107", "203.0.113.7"},
	"IPv4-mapped IPv6 with a port":          {"[::ffff:203.0.113.7]:40001", "203.0.113.7"},
	"IPv4-mapped IPv6 with a zone":          {"::ffff:203.0.113.7%eth0", "203.0.113.7"},
	"upper case":                            {"2001:DB8::A", "2001:db8::a"},
	"the long form":                         {"2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"},
	"a port without brackets stays in /64":  {"2001:db8::1:443", "2001:db8::1:443"},
	"a quoted value":                        {`"203.0.113.7"`, "203.0.113.7"},
	"a quoted value with a port":            {`"[2001:db8::1]:4711"`, "2001:db8::1"},
	"Forwarded":                             {"for=203.0.113.7", "203.0.113.7"},
	"Forwarded in upper case":               {`For="[2001:DB8::1]:4711"`, "2001:db8::1"},
	"Forwarded with further parameters":     {"for=203.0.113.7;proto=https;by=198.51.100.9", "203.0.113.7"},
	"Forwarded of HAProxy, for= comes last": {"proto=http;for=203.0.113.7", "203.0.113.7"},
	"Forwarded with blanks and empty parts": {"proto=http ; ;\tfor=203.0.113.7 ;", "203.0.113.7"},
	"Forwarded with a hidden port":          {`for="203.0.113.7:_proxy-1.a"`, "203.0.113.7"},
	"a trusted address alone is the client": {"10.0.0.1", "10.0.0.1"},
	"a private address alone is the client": {"192.168.0.1", "192.168.0.1"},
	"an address and a last comma":           {"203.0.113.7,", "203.0.113.7"},
	"an address and a first comma":          {" ,203.0.113.7", "203.0.113.7"},

	"no text":                                {"", ""},
	"only blanks":                            {" \t", ""},
	"only commas":                            {",, ,", ""},
	"unknown (RFC 7239 §6.2)":                {"unknown", ""},
	"for=unknown":                            {"for=unknown", ""},
	"a hidden name (RFC 7239 §6.3)":          {"_hidden", ""},
	"a hidden name in Forwarded":             {`for="_hidden"`, ""},
	"an unnamed Unix socket":                 {"@", ""},
	"a Unix socket":                          {"/run/app.sock", ""},
	"a host name":                            {"localhost:80", ""},
	"a network":                              {"203.0.113.0/24", ""},
	"addresses without a comma":              {"203.0.113.7 203.0.113.8", ""},
	"leading zeros, perhaps octal":           {"203.0.113.007", ""},
	"a number for an address":                {"3405803783", ""},
	"three of four bytes":                    {"203.0.113", ""},
	"no-break spaces":                        {"\u00a0203.0.113.7\u00a0", ""},
	"a NUL":                                  {"203.0.113.7\x00", ""},
	"an empty port":                          {"203.0.113.7:", "203.0.113.7"},
	"an empty port after brackets":           {"[2001:db8::1]:", "2001:db8::1"},
	"the name of a service":                  {"203.0.113.7:http", "203.0.113.7"},
	"a port of six digits":                   {"203.0.113.7:400010", "203.0.113.7"},
	"a hidden port without a name":           {"203.0.113.7:_", "203.0.113.7"},
	"a hidden port with other letters":       {"203.0.113.7:_a/b", ""},
	"a port without an address":              {":443", ""},
	"an open bracket":                        {"[2001:db8::1", ""},
	"a closed bracket":                       {"2001:db8::1]", ""},
	"empty brackets":                         {"[]:443", ""},
	"text after brackets":                    {"[2001:db8::1]443", ""},
	"IPv4 in brackets":                       {"[203.0.113.7]:443", "203.0.113.7"},
	"IPv4 with a zone":                       {"203.0.113.7%eth0", ""},
	"an empty zone":                          {"fe80::1%", ""},
	"only a zone":                            {"%eth0", ""},
	"half a quoted value":                    {`"203.0.113.7`, ""},
	"a single quote character":               {`"`, ""},
	"an empty quoted value":                  {`""`, ""},
	"a value quoted twice":                   {`""203.0.113.7""`, ""},
	"an escaped character":                   {`for="203.0.113.\7"`, ""},
	"Forwarded without for":                  {"proto=https;by=203.0.113.7", ""},
	"Forwarded with an empty for":            {"for=", ""},
	"Forwarded with for and no value":        {"proto=https;for", ""},
	"Forwarded with two clients":             {"for=203.0.113.7;for=203.0.113.8", ""},
	"a name that only ends in for":           {"x-for=203.0.113.7", ""},
	"a bare address with parameters":         {"203.0.113.7;x=y", ""},
	"attack: for= in the quoted host":        {`host="a;for=6.6.6.6;b";for=203.0.113.7`, "203.0.113.7"},
	"attack: comma and for= in the host":     {`for=203.0.113.7;host="a, for=6.6.6.6;b"`, ""},
	"attack: comma, for= and escaped quotes": {`for=203.0.113.7;host="a\", for=6.6.6.6;b=\""`, ""},
	"attack: host with two commas":           {`for=203.0.113.7;host="a, for=6.6.6.6, b"`, ""},
	"attack: host copied without quotes":     {"for=203.0.113.7;host=a;for=6.6.6.6", ""},
}

// untrustedLists are read without a list of trusted proxies.
var untrustedLists = map[string]parseCase{
	"one private proxy":                        {"203.0.113.7, 10.0.0.1", "203.0.113.7"},
	"several private proxies":                  {"203.0.113.7, 192.168.1.1, 10.0.0.1", "203.0.113.7"},
	"a client and its public proxy":            {"203.0.113.7, 198.51.100.1", "198.51.100.1"},
	"no blanks":                                {"203.0.113.7,10.0.0.1", "203.0.113.7"},
	"many blanks":                              {"\t203.0.113.7 \t,  10.0.0.1 ", "203.0.113.7"},
	"empty elements are skipped":               {",203.0.113.7,, ,10.0.0.1,", "203.0.113.7"},
	"ports and brackets":                       {"[2001:db8::1]:443, 10.0.0.1:8080", "2001:db8::1"},
	"Forwarded":                                {`for="[2001:db8::1]:4711";proto=https, for=10.0.0.1`, "2001:db8::1"},
	"loopback is a proxy":                      {"203.0.113.7, 127.0.0.1, ::1", "203.0.113.7"},
	"link-local is a proxy":                    {"203.0.113.7, 169.254.0.1, fe80::1%eth0", "203.0.113.7"},
	"unique-local is a proxy":                  {"203.0.113.7, fd00::1", "203.0.113.7"},
	"shared address space is a proxy":          {"203.0.113.7, 100.64.0.1, 100.127.255.255", "203.0.113.7"},
	"next to shared address space is public":   {"203.0.113.7, 100.128.0.0", "100.128.0.0"},
	"unspecified is a proxy":                   {"203.0.113.7, 0.0.0.0, ::", "203.0.113.7"},
	"IPv4-mapped private is a proxy":           {"203.0.113.7, ::ffff:10.0.0.1", "203.0.113.7"},
	"only private ones: the rightmost":         {"10.0.0.3, 10.0.0.2, 10.0.0.1", "10.0.0.1"},
	"garbage, then private: the rightmost":     {"unknown, 10.0.0.2, 10.0.0.1", "10.0.0.1"},
	"garbage hides the elements to its left":   {"203.0.113.7, unknown, 10.0.0.1", "10.0.0.1"},
	"garbage at the right hides everything":    {"203.0.113.7, unknown", ""},
	"garbage left of the client":               {"unknown, 203.0.113.7, 10.0.0.1", "203.0.113.7"},
	"attack: forged public address":            {"1.2.3.4, 203.0.113.7, 10.0.0.1", "203.0.113.7"},
	"attack: forged private address":           {"10.9.9.9, 203.0.113.7, 10.0.0.1", "203.0.113.7"},
	"attack: forged garbage":                   {`", [, for=", 203.0.113.7, 10.0.0.1`, "203.0.113.7"},
	"attack: quote that opens before the list": {`for="1.2.3.4, for=203.0.113.7`, "203.0.113.7"},
}

// trustedLists are read with trustedProxies.
var trustedLists = map[string]parseCase{
	"one trusted proxy":                        {"203.0.113.7, 10.0.0.1", "203.0.113.7"},
	"a trusted proxy with a public address":    {"203.0.113.7, 198.51.100.1, 10.0.0.1", "203.0.113.7"},
	"a trusted IPv6 proxy":                     {"203.0.113.7, 2001:db8:ffff::1", "203.0.113.7"},
	"a client with a private address":          {"203.0.113.7, 192.168.0.9, 10.0.0.1", "192.168.0.9"},
	"a public proxy that is not trusted":       {"203.0.113.7, 198.51.100.2, 10.0.0.1", "198.51.100.2"},
	"empty elements are skipped":               {",203.0.113.7,, ,10.0.0.1,", "203.0.113.7"},
	"all trusted: the leftmost":                {"10.0.0.3, 10.0.0.2, 10.0.0.1", "10.0.0.3"},
	"garbage, then trusted: no address":        {"203.0.113.7, unknown, 10.0.0.1", ""},
	"garbage left of the client":               {"unknown, 203.0.113.7, 10.0.0.1", "203.0.113.7"},
	"attack: forged public address":            {"1.2.3.4, 203.0.113.7, 10.0.0.1", "203.0.113.7"},
	"attack: forged trusted address":           {"10.9.9.9, 203.0.113.7, 10.0.0.1", "203.0.113.7"},
	"attack: trusted address as IPv4-mapped":   {"203.0.113.7, ::ffff:10.0.0.1", "203.0.113.7"},
	"attack: trusted address with a zone":      {"203.0.113.7, 2001:db8:ffff::1%x", "203.0.113.7"},
	"attack: quote that opens before the list": {`for="1.2.3.4, for=203.0.113.7`, "203.0.113.7"},
}

func TestParseReadsEverySpellingOfOneAddress(t *testing.T) {
	check(t, singleValues, nil)
	check(t, singleValues, trustedProxies)
}

func TestParseSkipsPrivateProxiesIfNoneAreTrusted(t *testing.T) {
	check(t, untrustedLists, nil)
}

func TestParseSkipsOnlyTrustedProxiesIfAny(t *testing.T) {
	check(t, trustedLists, trustedProxies)
}

func check(t *testing.T, cases map[string]parseCase, trusted []netip.Prefix) {
	t.Helper()
	for reason, c := range cases {
		t.Run(reason, func(t *testing.T) {
			addr, ok := clientip.Parse(c.text, trusted)
			if c.want == "" {
				require.False(t, ok, "Parse(%q) = %v", c.text, addr)
				require.Zero(t, addr)
				return
			}
			require.True(t, ok, "Parse(%q) found no address", c.text)
			require.Equal(t, netip.MustParseAddr(c.want), addr, "Parse(%q)", c.text)
		})
	}
}

func TestParseReadsOnlyTheRightmost32Elements(t *testing.T) {
	for reason, c := range map[string]struct {
		text    string
		trusted []netip.Prefix
		want    string
	}{
		"the 32nd from the right is read":           {"203.0.113.7" + strings.Repeat(",10.0.0.1", 31), nil, "203.0.113.7"},
		"the 33rd from the right is not read":       {"203.0.113.7" + strings.Repeat(",10.0.0.1", 32), nil, "10.0.0.1"},
		"the leftmost of 32 trusted proxies":        {"10.0.0.3,10.0.0.2" + strings.Repeat(",10.0.0.1", 31), trustedProxies, "10.0.0.2"},
		"empty elements count, so 8 kB cost little": {"203.0.113.7" + strings.Repeat(",", 32), nil, ""},
	} {
		t.Run(reason, func(t *testing.T) {
			addr, ok := clientip.Parse(c.text, c.trusted)
			require.Equal(t, c.want != "", ok)
			if ok {
				require.Equal(t, c.want, addr.String())
			}
		})
	}
}

func TestParsedAddressSharesNoMemoryWithText(t *testing.T) {
	borrowed := []byte("[2001:db8::1%eth0]:443, 10.0.0.1")
	addr, ok := clientip.Parse(unsafe.String(&borrowed[0], len(borrowed)), nil)
	require.True(t, ok)
	clear(borrowed)
	require.Equal(t, netip.MustParseAddr("2001:db8::1"), addr)
}

// longHeaders are the most expensive headers that fit in 8 kB.
var longHeaders = map[string]string{
	"text=commas":      strings.Repeat(",", 8<<10),
	"text=no-comma":    strings.Repeat("1", 8<<10),
	"text=private":     strings.Repeat("10.0.0.1,", 900) + "10.0.0.1",
	"text=trusted":     "203.0.113.7" + strings.Repeat(",2001:db8:ffff:1111:1111:1111:1111:1111", 200),
	"text=semicolons":  "x=" + strings.Repeat(";", 8<<10),
	"text=parameters":  strings.Repeat("x=y;", 2<<10) + "for=unknown",
	"text=quotes":      "for=" + strings.Repeat(`"`, 8<<10),
	"text=long-zone":   "fe80::1%" + strings.Repeat("z", 8<<10),
	"text=long-digits": "203.0.113." + strings.Repeat("0", 8<<10),
}

func TestParseAllocatesAtMostOneErrorForAnyHeader(t *testing.T) {
	for name, text := range longHeaders {
		for _, trusted := range [][]netip.Prefix{nil, trustedProxies} {
			allocs := testing.AllocsPerRun(10, func() { clientip.Parse(text, trusted) })
			require.LessOrEqual(t, allocs, 1.0, name)
		}
	}
}

func TestParseAllocatesNothingForValidLists(t *testing.T) {
	text := `1.2.3.4, for="[2001:db8::1%eth0]:4711";proto=https, ::ffff:10.0.0.1, 10.0.0.1:80`
	allocs := testing.AllocsPerRun(10, func() { clientip.Parse(text, nil) })
	require.Zero(t, allocs)
}

func TestParseTrustedSkipsInvalidEntries(t *testing.T) {
	trusted := clientip.ParseTrusted([]string{
		"192.0.2.1", " 10.1.2.3/8 ", "2001:DB8::1", "2001:db8::1/32", "fe80::1%eth0",
		"::ffff:192.0.2.2", "::ffff:172.16.0.0/108", "::ffff:0:0/95", "0.0.0.0/0", "::/0",
		"", "*", "proxy.internal", "10.0.0.0/33", "10.0.0.1:80", "10.0.0.1,10.0.0.2", "fe80::%eth0/64",
	})
	var got []string
	for _, prefix := range trusted {
		got = append(got, prefix.String())
	}
	require.Equal(t, []string{
		"192.0.2.1/32", "10.0.0.0/8", "2001:db8::1/128", "2001:db8::/32", "fe80::1/128",
		"192.0.2.2/32", "172.16.0.0/12", "::fffe:0:0/95", "0.0.0.0/0", "::/0",
	}, got)
	require.Empty(t, clientip.ParseTrusted(nil))
}

func TestMappedTrustedPrefixMatchesIPv4Proxy(t *testing.T) {
	trusted := clientip.ParseTrusted([]string{"::ffff:198.51.100.0/120"})
	addr, ok := clientip.Parse("203.0.113.7, 198.51.100.1", trusted)
	require.True(t, ok)
	require.Equal(t, "203.0.113.7", addr.String())
}

func TestIPv6NetworkIsSlash64AndSiteIsSlash48(t *testing.T) {
	for reason, c := range map[string]struct {
		addr          netip.Addr
		network, site string
	}{
		"an IPv4 address is one client":      {netip.MustParseAddr("203.0.113.7"), "203.0.113.7", ""},
		"IPv4-mapped is the IPv4 address":    {netip.MustParseAddr("::ffff:203.0.113.7"), "203.0.113.7", ""},
		"an IPv6 client has a /64":           {netip.MustParseAddr("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64", "2001:db8:1::/48"},
		"the /64 and the /48 differ as text": {netip.MustParseAddr("2001:db8::"), "2001:db8::/64", "2001:db8::/48"},
		"a zone is not part of it":           {netip.MustParseAddr("fe80::1%eth0"), "fe80::/64", "fe80::/48"},
		"the zero Addr has no network":       {netip.Addr{}, "", ""},
	} {
		t.Run(reason, func(t *testing.T) {
			require.Equal(t, c.network, clientip.Network(c.addr))
			require.Equal(t, c.site, clientip.Site(c.addr))
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, cases := range []map[string]parseCase{singleValues, untrustedLists, trustedLists} {
		for _, c := range cases {
			f.Add(c.text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, trusted := range [][]netip.Prefix{nil, trustedProxies} {
			addr, ok := clientip.Parse(text, trusted)
			require.Equal(t, ok, addr.IsValid())
			if ok {
				require.Empty(t, addr.Zone())
				require.False(t, addr.Is4In6())
				again, ok := clientip.Parse(addr.String(), trusted)
				require.True(t, ok)
				require.Equal(t, addr, again)
				require.NotEmpty(t, clientip.Network(addr))
				require.Equal(t, addr.Is4(), clientip.Site(addr) == "")
			}
			// The text of a client does not change the result for what the proxies append.
			for _, appended := range []string{",203.0.113.7", ", for=203.0.113.7;proto=https, for=10.0.0.1"} {
				addr, ok := clientip.Parse(text+appended, trusted)
				require.True(t, ok)
				require.Equal(t, "203.0.113.7", addr.String())
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	b.Run("text=usual", func(b *testing.B) {
		for b.Loop() {
			clientip.Parse("203.0.113.7, 10.0.0.1", nil)
		}
	})
	for name, text := range longHeaders {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				clientip.Parse(text, trustedProxies)
			}
		})
	}
}
