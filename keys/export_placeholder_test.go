package keys

import (
	"slices"
	"strings"
)

// What guessable knows.
const (
	LetterCost, OtherCost = letterCost, otherCost
	MinRun, MaxRun        = minRun, maxRun
)

// Words of placeholders.
func Words() []string { return slices.Concat(words[:]...) }

// KeyboardPatterns are the patterns of neighbouring keys.
func KeyboardPatterns() []string { return strings.Fields(keyboard) }
