/** How help is laid out: as commander does, but on a narrow terminal what a thing does comes below its name. */
import { Help } from 'commander';

const NARROW = 80;
const NARROWEST = 20;
const INDENT = 6;

/** For `configureHelp`; commands below the top one also show the options that all have. */
export function helpLayout(showGlobalOptions: boolean): Partial<Help> {
  const usual = new Help();
  return {
    showGlobalOptions,
    minWidthToWrap: NARROWEST,
    formatItem(term, termWidth, description, helper) {
      const width = helper.helpWidth ?? NARROW;
      if (width >= NARROW || description === '')
        return usual.formatItem.call(helper, term, termWidth, description, helper);
      const lines = helper.boxWrap(description, width - INDENT).split('\n');
      return [`  ${term}`, ...lines.map((line) => ' '.repeat(INDENT) + line)].join('\n');
    },
  };
}
