package fault_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fiberjwt/fiberjwt/internal/fault"
)

func TestProblemPrintsFieldReasonAndHint(t *testing.T) {
	for name, test := range map[string]struct {
		problem fault.Problem
		want    string
	}{
		"all parts":          {fault.NewProblem("Config.Leeway", "2m0s is too long", "lower it"), "Config.Leeway: 2m0s is too long: lower it"},
		"no hint":            {fault.NewProblem("Config.Store", "it forgets", ""), "Config.Store: it forgets"},
		"no field":           {fault.NewProblem("", "is empty", "give one"), "is empty: give one"},
		"a text":             {fault.ParseProblem("Config.Keys", "is nil: give one: or two"), "Config.Keys is nil: give one: or two"},
		"a text without fix": {fault.ParseProblem("Config.Keys", "is nil"), "Config.Keys is nil"},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.want, test.problem.String()) })
	}
}

func TestParseProblemSeparatesReasonFromHint(t *testing.T) {
	require.Equal(t, fault.Problem{Field: "f", Reason: "is nil", Hint: "give one: or two"}, fault.ParseProblem("f", "is nil: give one: or two"))
	require.Equal(t, fault.Problem{Field: "f", Reason: "is nil"}, fault.ParseProblem("f", "is nil"))
}

func TestWithinPrefixesFieldsOfACopy(t *testing.T) {
	problems := []fault.Problem{{"Name", "is empty", "give one"}, {"", "the table does not exist", "create it"}}
	require.Equal(t, []string{"Config.Entities[0]: Name is empty: give one", "Config.Entities[0]: the table does not exist: create it"},
		fault.Texts(fault.Within("Config.Entities[0]", problems)))
	require.Equal(t, "Name", problems[0].Field)
	require.Empty(t, fault.Within("Config", nil))
}
