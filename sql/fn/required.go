package fn

import (
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// RequiredText is a list of texts of which a string has at least one. With Fold, they are in small
// letters, and the string turned into small letters has one.
type RequiredText struct {
	Texts []string
	Fold  bool
}

// maxAlternatives is how many texts one [RequiredText] lists.
const maxAlternatives = 8

// RequiredTexts returns what every string has in which a regular expression finds something. ok says
// that looking for the expression raises no error, whatever the string.
func RequiredTexts(pattern string) (texts []RequiredText, ok bool) {
	r, err := regexes.get(pattern, compileRegex)
	if err != nil || r.linear == nil {
		return nil, false
	}
	if r.isLiteral {
		return []RequiredText{{Texts: []string{r.literal}}}, true
	}
	re, err := syntax.Parse(r.linear.String(), syntax.Perl)
	if err != nil {
		return nil, true
	}
	return requiredBy(re), true
}

func requiredBy(re *syntax.Regexp) (out []RequiredText) {
	switch re.Op {
	case syntax.OpLiteral:
		return literalTexts(string(re.Rune), re.Flags&syntax.FoldCase != 0)
	case syntax.OpCapture, syntax.OpPlus:
		return requiredBy(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return requiredBy(re.Sub[0])
		}
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			out = append(out, requiredBy(sub)...)
		}
	case syntax.OpAlternate:
		branches := make([][]RequiredText, len(re.Sub))
		for i, sub := range re.Sub {
			branches[i] = requiredBy(sub)
		}
		if t, ok := AnyRequired(branches); ok {
			return []RequiredText{t}
		}
	}
	return out
}

// AnyRequired returns what a string has that has all that one of the branches wants; ok is false
// when that is nothing.
func AnyRequired(branches [][]RequiredText) (out RequiredText, ok bool) {
	for _, b := range branches {
		if len(b) == 0 {
			return out, false
		}
		best := slices.MaxFunc(b, func(x, y RequiredText) int { return x.shortest() - y.shortest() })
		out.Texts = append(out.Texts, best.Texts...)
		out.Fold = out.Fold || best.Fold
	}
	if len(out.Texts) == 0 || len(out.Texts) > maxAlternatives {
		return out, false
	}
	if out.Fold {
		for i, t := range out.Texts {
			out.Texts[i] = strings.ToLower(t)
		}
	}
	return out, true
}

func (r *RequiredText) shortest() int {
	return len(slices.MinFunc(r.Texts, func(x, y string) int { return len(x) - len(y) }))
}

// literalTexts returns the parts of a literal that strings have.
func literalTexts(s string, fold bool) (out []RequiredText) {
	if !fold {
		if s != "" && utf8.ValidString(s) {
			out = append(out, RequiredText{Texts: []string{s}})
		}
		return out
	}
	// A long s folds to s, but is no small letter of it; so it is with some letters beyond ASCII.
	for _, part := range strings.FieldsFunc(s, func(r rune) bool { return r == 's' || r == 'S' || r >= utf8.RuneSelf }) {
		out = append(out, RequiredText{Texts: []string{strings.ToLower(part)}, Fold: true})
	}
	return out
}
