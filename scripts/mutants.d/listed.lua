--- Wrong lines that nothing can notice, or that nothing has to, each with the
-- reason: "MODULE:FUNCTION: LINE => WRONG LINE" as `scripts/mutants` prints it.
return {
}
