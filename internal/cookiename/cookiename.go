// Package cookiename returns the names of the cookies of a kind, for the library and for
// package fiberjwttest.
package cookiename

// Device returns the name of the device cookie, which marks a browser that has signed in
// to an account of a kind.
func Device(namespace, kind string, insecure bool) string {
	if insecure {
		return within(namespace, kind) + "-device"
	}
	return "__Secure-" + within(namespace, kind) + "-device"
}

// Of returns the names of the access cookie and the refresh cookie of a kind, for the
// settings Cookie.Namespace, Cookie.Insecure and Cookie.RefreshEverywhere. The prefixes
// follow RFC 6265bis §4.1.3 and, for Http, draft-ietf-httpbis-layered-cookies. Browsers
// that know the prefix __Host-Http- do not let scripts set the cookie; older browsers
// treat it as __Host-. The refresh cookie has no __Host- prefix unless everywhere is
// true, because it is limited to the path of the refresh route.
func Of(namespace, kind string, insecure, everywhere bool) (access, refresh string) {
	host, secure := "__Host-Http-", "__Secure-"
	if insecure {
		host, secure = "", ""
	}
	name := within(namespace, kind)
	if everywhere { // another name, because a server cannot distinguish two cookies that differ only in the path
		return host + name, host + name + ".refresh"
	}
	return host + name, secure + name + "-refresh"
}

// within joins namespace and kind with a character that neither may contain, so that the
// result is never the name of a kind without a namespace.
func within(namespace, kind string) string {
	if namespace == "" {
		return kind
	}
	return namespace + "~" + kind
}
