;; bare
;; refused "the module was built for another ABI: this host speaks edgecache_abi_hook_1"
(func (export "edgecache_abi_hook_2"))
(memory (export "memory") 1)
