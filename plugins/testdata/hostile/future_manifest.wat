;; manifest {"abi": "hook/2"}
;; refused "abi \"hook/2\" is not known: this host speaks \"hook/1\""
