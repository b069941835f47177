// rewrite is the peer of wasm-examples/lowercase for Extism: the input in lower case, behind "v1:". It uses the functions
// that Extism's kernel documents, eight bytes a call as Extism's own development kits do.
#include <stdint.h>

#define IMPORT(name) __attribute__((import_module("extism:host/env"), import_name(name))) extern

IMPORT("input_length") uint64_t input_length(void);
IMPORT("input_load_u64") uint64_t input_load_u64(uint64_t offset);
IMPORT("input_load_u8") uint32_t input_load_u8(uint64_t offset);
IMPORT("alloc") uint64_t alloc(uint64_t size);
IMPORT("store_u64") void store_u64(uint64_t address, uint64_t value);
IMPORT("store_u8") void store_u8(uint64_t address, uint32_t value);
IMPORT("output_set") void output_set(uint64_t address, uint64_t length);

enum { PREFIX = 3, MAX = 4096 };

static _Alignas(8) uint8_t key[MAX] = "v1:";

static uint64_t load(uint8_t *to, uint64_t len) {
	uint64_t i = 0;
	for (; i + 8 <= len; i += 8) {
		uint64_t word = input_load_u64(i);
		__builtin_memcpy(to + i, &word, 8);
	}
	for (; i < len; i++) to[i] = input_load_u8(i);
	return len;
}

static void store(uint64_t address, uint64_t len) {
	uint64_t i = 0;
	for (; i + 8 <= len; i += 8) {
		uint64_t word;
		__builtin_memcpy(&word, key + i, 8);
		store_u64(address + i, word);
	}
	for (; i < len; i++) store_u8(address + i, key[i]);
}

__attribute__((export_name("rewrite"))) int32_t rewrite(void) {
	uint64_t len = input_length();
	if (len > MAX - PREFIX) return 1;
	len = PREFIX + load(key + PREFIX, len);
	for (uint64_t i = PREFIX; i < len; i++)
		if (key[i] >= 'A' && key[i] <= 'Z') key[i] += 'a' - 'A';
	uint64_t address = alloc(len);
	store(address, len);
	output_set(address, len);
	return 0;
}
