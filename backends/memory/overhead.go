package memory

// EntryOverhead is what an entry weighs beside its key and its value.
const EntryOverhead = overhead
