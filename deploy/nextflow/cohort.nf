// Masks of a cohort, a part of it a task, then their evaluation where there are references:
//   nextflow run deploy/nextflow/cohort.nf --scans DIR --masks DIR --run DIR [--parts 8] [--reference DIR]
// The tasks share the folder of masks instead of staging files: what is there is kept by content, so a task may be retried, and -resume costs nothing.
nextflow.enable.dsl = 2

params.parts = 8
params.reference = ''
params.voxelgrad = 'npx voxelgrad'

process predict {
    errorStrategy 'retry'
    maxRetries 3
    // accelerator 1
    input:
    val part
    output:
    val part
    script:
    """
    ${params.voxelgrad} predict --input '${params.scans}' --output '${params.masks}' --run '${params.run}' --part ${part}/${params.parts}
    """
}

process evaluate {
    input:
    val parts
    output:
    stdout
    script:
    """
    ${params.voxelgrad} eval '${params.reference}' '${params.masks}'
    """
}

workflow {
    done = predict(Channel.of(1..params.parts)) | collect
    if (params.reference) evaluate(done) | view
}
