# embed_table(NAME SYMBOL FILE...) makes ${EMBED_NAME}, a C file that holds the files' bytes as
#   const Embed SYMBOL[]      see ir/embed.h; ended by an entry without a name
# The bytes are taken by the assembler: no step that writes them out as C.
function(embed_table name symbol)
  set(code "#include \"ir/embed.h\"\n")
  set(rows "")
  set(n 0)
  foreach(f ${ARGN})
    string(APPEND code "extern const char ${symbol}_${n}[], ${symbol}_end_${n}[];\n"
      "__asm__(\".pushsection .rodata\\n.balign 16\\n${symbol}_${n}:\\n.incbin \\\"${f}\\\"\\n\"\n"
      "        \"${symbol}_end_${n}:\\n.byte 0\\n.popsection\\n\");\n")
    string(APPEND rows "  { \"$<PATH:GET_FILENAME,${f}>\", ${symbol}_${n}, ${symbol}_end_${n} },\n")
    math(EXPR n "${n} + 1")
  endforeach()
  string(APPEND code "const Embed ${symbol}[] = {\n${rows}  { 0, 0, 0 },\n};\n")
  set(out ${PROJECT_BINARY_DIR}/embed_${name}.c)
  file(GENERATE OUTPUT ${out} CONTENT "${code}")
  set_source_files_properties(${out} PROPERTIES OBJECT_DEPENDS "${ARGN}")
  set(EMBED_${name} ${out} PARENT_SCOPE)
endfunction()
