// Package codec turns typed values into bytes and back, and wraps the bytes that remote stores keep in an envelope that
// carries their metadata and proves that they are what was written.
package codec
