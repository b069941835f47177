;; A start function would run while the module is instantiated.
;; refused "module has a start function"
(func $start (loop (br 0)))
(start $start)
