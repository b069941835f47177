// Package store keeps HTTP responses in a core.Cache and its tiers: whole or in parts, in variants, and while they come.
package store
