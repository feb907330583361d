// The order of test files: those of whole systems first, which take longest. With several workers, a long file that comes last
// would keep one of them busy while the others have nothing left to do.

import { BaseSequencer, type TestSpecification } from 'vitest/node';

export class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files); // by what they took the last time, else by size
    const whole = ({ moduleId }: TestSpecification): boolean => /\/test\/(crash|faults|sandbox)\//.test(moduleId);
    return [...sorted.filter(whole), ...sorted.filter((file) => !whole(file))];
  }
}
