package fiberjwt

import (
	"github.com/fiberjwt/fiberjwt/keys"
)

// Secret is the root of all keys: 32 random bytes or more. Formatting, logging
// and marshalling it give "[secret]". A []byte is assignable to it.
type Secret = keys.Secret
