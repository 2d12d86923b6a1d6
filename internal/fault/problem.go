package fault

import (
	"slices"
	"strings"
)

// Problem is a mistake in the configuration or the database of an application.
type Problem struct {
	Field  string // the setting, such as "Config.Leeway"
	Reason string // what is wrong
	Hint   string // how to fix it, "" if that is not known
}

// NewProblem returns a Problem.
func NewProblem(field, reason, hint string) Problem { return Problem{field, reason, hint} }

// ParseProblem returns the problem in text, in which ": " separates the reason from the
// hint.
func ParseProblem(field, text string) Problem {
	reason, hint, _ := strings.Cut(text, ": ")
	return Problem{field, reason, hint}
}

// String returns "field: reason: hint", without the parts that are empty. A reason that
// continues a sentence about the field, such as "is empty", follows it without the colon.
func (p Problem) String() string {
	if verb, _, _ := strings.Cut(p.Reason, " "); p.Field != "" && slices.Contains(verbs, verb) {
		return joinParts(p.Field+" "+p.Reason, p.Hint)
	}
	return joinParts(p.Field, p.Reason, p.Hint)
}

// verbs begin the reasons that are sentences about their field.
var verbs = []string{"begins", "contains", "gives", "has", "is", "looks", "needs", "only", "repeats"}

func joinParts(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), ": ")
}

// Within returns the problems with field in front of their own fields.
func Within(field string, problems []Problem) []Problem {
	within := slices.Clone(problems)
	for i, p := range problems {
		within[i].Field = joinParts(field, p.Field)
	}
	return within
}

// Texts returns the problems as texts.
func Texts(problems []Problem) []string {
	texts := make([]string, len(problems))
	for i, p := range problems {
		texts[i] = p.String()
	}
	return texts
}
