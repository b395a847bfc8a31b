/** The child process of examiner.ts: one exam for each message. */
import type { ExamQuestion } from './exam.ts';
import { examine } from './exam.ts';

process.on('message', (question: ExamQuestion) => {
  // A rejection ends the process, as it would end the command.
  void examine(question).then((answer) => process.send?.(answer));
});
process.on('disconnect', () => process.exit());
