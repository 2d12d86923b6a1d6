// Package cookiename has the names of the cookies of a kind, for the library and
// for package fiberjwttest.
package cookiename

// Device returns the name of the cookie that marks a browser of a kind.
func Device(namespace, kind string, insecure bool) string {
	if insecure {
		return within(namespace, kind) + "-device"
	}
	return "__Secure-" + within(namespace, kind) + "-device"
}

// Of returns the names of the access cookie and the refresh cookie of a kind, for
// the settings Cookie.Namespace, Cookie.Insecure and Cookie.RefreshEverywhere. They
// follow RFC 6265bis §4.1.3 and, for Http, draft-ietf-httpbis-layered-cookies:
// browsers that know the prefix do not let scripts set the cookie; older browsers
// treat it as __Host-.
func Of(namespace, kind string, insecure, everywhere bool) (access, refresh string) {
	host, secure := "__Host-Http-", "__Secure-"
	if insecure {
		host, secure = "", ""
	}
	name := within(namespace, kind)
	if everywhere { // a different name: two cookies with one name and two paths cannot be distinguished
		return host + name, host + name + ".refresh"
	}
	return host + name, secure + name + "-refresh"
}

// within joins the two by a character that neither may contain, so that no name is
// also the name of a kind without a namespace.
func within(namespace, kind string) string {
	if namespace == "" {
		return kind
	}
	return namespace + "~" + kind
}
