package sessions

import "errors"

// ErrReplaced says that a refresh token has a successor.
var ErrReplaced = errors.New("the refresh token has a successor")
