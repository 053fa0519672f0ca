# Shorthands for .ci/do, which needs no make.
.PHONY: demo test docs setup probes
demo test docs setup probes:
	sh .ci/do $@
