package rfc9111

import "time"

// parseTargeted reads the lines of a targeted field (RFC 9213, 2.1). ok is false if it is empty or no valid dictionary: then it
// is as if it were not there. Members of a type that their directive does not have are left out.
func parseTargeted(lines []string) (d Directives, ok bool) {
	if len(lines) == 0 {
		return d, false
	}
	d = noDirectives()
	members := 0
	valid := readDictionary(lines, func(key string, v sfValue) {
		members++
		d.addTargeted(key, v)
	})
	return d, valid && members > 0
}

// addTargeted takes one member in; a later one of the same key replaces it.
func (d *Directives) addTargeted(key string, v sfValue) {
	switch key {
	case "max-age":
		d.MaxAge = targetedDelta(v)
	case "s-maxage":
		d.SMaxAge = targetedDelta(v)
	case "stale-while-revalidate":
		d.StaleWhileRevalidate = targetedDelta(v)
	case "stale-if-error":
		d.StaleIfError = targetedDelta(v)
	case "no-cache":
		d.NoCache, d.NoCacheFields = targetedQualified(v)
	case "private":
		d.Private, d.PrivateFields = targetedQualified(v)
	}
	if flag := d.flag(key); flag != nil {
		*flag = v.kind == sfBoolean && v.truth
	}
}

// flag returns the directive of the name that has no argument, nil if there is none.
func (d *Directives) flag(name string) *bool {
	switch name {
	case "no-store":
		return &d.NoStore
	case "no-transform":
		return &d.NoTransform
	case "public":
		return &d.Public
	case "must-revalidate":
		return &d.MustRevalidate
	case "proxy-revalidate":
		return &d.ProxyRevalidate
	case "must-understand":
		return &d.MustUnderstand
	case "immutable":
		return &d.Immutable
	}
	return nil
}

func targetedDelta(v sfValue) time.Duration {
	if v.kind != sfInteger || v.number < 0 {
		return Absent
	}
	return time.Duration(min(v.number, int64(MaxDelta/time.Second))) * time.Second
}

// targetedQualified reads no-cache or private: true, or a string with names of fields.
func targetedQualified(v sfValue) (whole bool, fields []string) {
	if v.kind == sfString {
		fields, _ = fieldNames([]string{v.text})
		return len(fields) == 0, fields
	}
	return v.kind == sfBoolean && v.truth, nil
}
