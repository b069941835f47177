package codec

// maxDigits is how many digits an int64 has at most.
const maxDigits = 19

// IsCounter reports whether value is a decimal int64 as Redis and strconv.FormatInt write it: no spaces, no plus sign, no
// leading zeros, no "-0".
func IsCounter(value []byte) bool {
	_, ok := ParseCounter(value)
	return ok
}

// ParseCounter returns the number that value writes, and whether it is one in the sense of IsCounter.
func ParseCounter(value []byte) (int64, bool) {
	digits := value
	negative := len(value) > 0 && value[0] == '-'
	if negative {
		digits = value[1:]
	}
	if len(digits) == 0 || len(digits) > maxDigits || digits[0] == '0' && len(value) > 1 {
		return 0, false
	}
	var n uint64 // 19 digits fit
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0, false
		}
		n = n*10 + uint64(d-'0')
	}
	if negative {
		return -int64(n), n <= 1<<63
	}
	return int64(n), n < 1<<63
}
