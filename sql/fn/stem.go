package fn

import "strings"

// stem gives the stem of an English word by Porter's algorithm. Words that are
// not made of the letters a to z stay as they are.
func stem(word string) string {
	w := strings.ToLower(word)
	if len(w) < 3 {
		return w
	}
	for i := range len(w) {
		if w[i] < 'a' || w[i] > 'z' {
			return w
		}
	}
	s := stemmer(w)
	s = s.plurals()
	s = s.pastAndGerund()
	if cut, ok := s.without("y"); ok && cut.hasVowel() {
		s = cut + "i"
	}
	s = s.replaceFirst(suffixes2, 1)
	s = s.replaceFirst(suffixes3, 1)
	s = s.dropFirst()
	if cut, ok := s.without("e"); ok {
		if m := cut.measure(); m > 1 || m == 1 && !cut.endsShort() {
			s = cut
		}
	}
	if strings.HasSuffix(string(s), "ll") && s[:len(s)-1].measure() > 1 {
		s = s[:len(s)-1]
	}
	return string(s)
}

type stemmer string

var (
	suffixes2 = [][2]string{{"ational", "ate"}, {"tional", "tion"}, {"enci", "ence"}, {"anci", "ance"}, {"izer", "ize"},
		{"abli", "able"}, {"alli", "al"}, {"entli", "ent"}, {"eli", "e"}, {"ousli", "ous"}, {"ization", "ize"},
		{"ation", "ate"}, {"ator", "ate"}, {"alism", "al"}, {"iveness", "ive"}, {"fulness", "ful"}, {"ousness", "ous"},
		{"aliti", "al"}, {"iviti", "ive"}, {"biliti", "ble"}}
	suffixes3 = [][2]string{{"icate", "ic"}, {"ative", ""}, {"alize", "al"}, {"iciti", "ic"}, {"ical", "ic"}, {"ful", ""}, {"ness", ""}}
	suffixes4 = []string{"ement", "ance", "ence", "able", "ible", "ment", "ant", "ent", "ism", "ate", "iti", "ous", "ive",
		"ize", "ion", "al", "er", "ic", "ou"}
)

func (s stemmer) without(suffix string) (stemmer, bool) {
	cut, ok := strings.CutSuffix(string(s), suffix)
	return stemmer(cut), ok
}

// vowel reports whether letter i counts as a vowel: y does after a consonant.
func (s stemmer) vowel(i int) bool {
	switch s[i] {
	case 'a', 'e', 'i', 'o', 'u':
		return true
	case 'y':
		return i > 0 && !s.vowel(i-1)
	}
	return false
}

func (s stemmer) hasVowel() bool {
	for i := range len(s) {
		if s.vowel(i) {
			return true
		}
	}
	return false
}

// measure counts the changes from vowels to consonants.
func (s stemmer) measure() (m int) {
	for i := 1; i < len(s); i++ {
		if s.vowel(i-1) && !s.vowel(i) {
			m++
		}
	}
	return m
}

// endsShort: consonant, vowel, consonant other than w, x, y.
func (s stemmer) endsShort() bool {
	n := len(s)
	return n >= 3 && !s.vowel(n-1) && s.vowel(n-2) && !s.vowel(n-3) && strings.IndexByte("wxy", s[n-1]) < 0
}

func (s stemmer) plurals() stemmer {
	for _, r := range [][2]string{{"sses", "ss"}, {"ies", "i"}, {"ss", "ss"}, {"s", ""}} {
		if cut, ok := s.without(r[0]); ok {
			return cut + stemmer(r[1])
		}
	}
	return s
}

func (s stemmer) pastAndGerund() stemmer {
	if cut, ok := s.without("eed"); ok {
		if cut.measure() > 0 {
			return cut + "ee"
		}
		return s
	}
	cut, ok := s.without("ed")
	if !ok {
		cut, ok = s.without("ing")
	}
	if !ok || !cut.hasVowel() {
		return s
	}
	n := len(cut)
	switch {
	case strings.HasSuffix(string(cut), "at"), strings.HasSuffix(string(cut), "bl"), strings.HasSuffix(string(cut), "iz"):
		return cut + "e"
	case n > 1 && cut[n-1] == cut[n-2] && !cut.vowel(n-1) && strings.IndexByte("lsz", cut[n-1]) < 0:
		return cut[:n-1]
	case cut.measure() == 1 && cut.endsShort():
		return cut + "e"
	}
	return cut
}

func (s stemmer) replaceFirst(rules [][2]string, measure int) stemmer {
	for _, r := range rules {
		if cut, ok := s.without(r[0]); ok {
			if cut.measure() >= measure {
				return cut + stemmer(r[1])
			}
			return s
		}
	}
	return s
}

func (s stemmer) dropFirst() stemmer {
	for _, suffix := range suffixes4 {
		cut, ok := s.without(suffix)
		if !ok {
			continue
		}
		if cut.measure() > 1 && (suffix != "ion" || strings.HasSuffix(string(cut), "s") || strings.HasSuffix(string(cut), "t")) {
			return cut
		}
		return s
	}
	return s
}
