// One check of the kit: a name that is a sentence, and a function that throws when it does not hold.

export interface Check {
  readonly name: string;
  run(): Promise<void>;
}
