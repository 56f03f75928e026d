#include "driver/driver.h"

static void check_trainer(void *driver, ElabTrainer *t) { trainer_owned(driver, t); }

int command_check(Driver *d, int argc, char **argv) {
  if (argc < 2) return usage("check", "which file?");
  for (int i = 1; i < argc; i++)
    if (is_option(argv[i])) return usage("check", "there is no option %s", argv[i]);
  for (int i = 1; i < argc; i++) {
    Elab *e = job_elab(d, &(Job){ .path = argv[i] });
    if (e) elab_check(e, check_trainer, d);
  }
  return d->diags->count ? mistake(d) : RT_FINE;
}
