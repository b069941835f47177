// Package browser checks edgecache proxy with a real browser, Debian's headless Chromium: that a page and what it consists of
// is cached, validated, ranged and purged as seen from there. It is a module of its own, for the driver.
package browser
